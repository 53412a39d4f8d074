//! The configuration that this server runs with, to read.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::domain::error::Result;
use crate::web::frame::Frame;
use crate::web::visit::Member;

struct Section {
    name: String,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    value: String,
    is_default: bool,
}

#[derive(Template)]
#[template(path = "pages/console/settings.html")]
struct Page<'p> {
    frame: &'p Frame,
    sections: Vec<Section>,
}

pub(super) async fn show(member: Member) -> Result<Response> {
    let mut sections: Vec<Section> = Vec::new();
    let (settings, defaults) = (member.app.settings().describe(), App::default_settings());
    for ((name, value), (_, default)) in settings.into_iter().zip(defaults) {
        let section = name.split_once('.').map_or("server", |(section, _)| section).to_owned();
        let is_default = value == default;
        let row = Row { name, value, is_default };
        match sections.iter_mut().find(|known| known.name == section) {
            Some(known) => known.rows.push(row),
            None => sections.push(Section { name: section, rows: vec![row] }),
        }
    }
    Ok(member.frame.show(StatusCode::OK, &Page { frame: &member.frame, sections }))
}
