//! How things stand.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::chart::Chart;
use crate::actions::mails;
use crate::actions::overview::{self, Overview};
use crate::domain::error::Result;
use crate::web::frame::Frame;
use crate::web::visit::Member;

struct Line {
    name: &'static str,
    text: String,
    is_well: bool,
}

#[derive(Template)]
#[template(path = "pages/console/overview.html")]
struct Page<'p> {
    frame: &'p Frame,
    seen: Arc<Overview>,
    chart: Chart,
    health: Vec<Line>,
}

pub(super) async fn show(member: Member) -> Result<Response> {
    let Member { app, frame, actor, .. } = &member;
    let seen = overview::overview(app, &actor.caller).await?;
    let chart = Chart::of(&seen.hours);
    let health = health(&member).await;
    Ok(frame.show(StatusCode::OK, &Page { frame, seen, chart, health }))
}

async fn health(member: &Member) -> Vec<Line> {
    let Member { app, frame, .. } = member;
    let t = frame.t;
    let is_ready = app.is_ready().await.is_ok();
    let database = Line {
        name: t.database,
        text: if is_ready { t.database_answers } else { t.database_silent }.to_owned(),
        is_well: is_ready,
    };
    let trusts = app.guard().trusts_keys();
    let keys = Line {
        name: t.keys,
        text: if trusts { t.keys_are_read } else { t.keys_are_not_read }.to_owned(),
        is_well: trusts,
    };
    let mut lines = vec![database, keys];
    lines.extend(mail(member).await);
    lines
}

/// How many waiting mails are looked at.
const MAILS: i64 = 100;

/// Of mails that a server sends; files wait for nobody.
async fn mail(member: &Member) -> Option<Line> {
    let (app, t) = (&member.app, member.frame.t);
    app.mailer().smtp()?;
    let waiting = mails::list(app, &member.actor.caller, MAILS).await.ok()?;
    // Once more is tried after seconds; a mail that failed thrice tells of a server that does not answer.
    let is_well = waiting.iter().all(|mail| mail.attempts < 3);
    let waiting = waiting.iter().filter(|mail| mail.due_at.is_some()).count();
    Some(Line { name: t.mail, text: t.mails_wait(waiting), is_well })
}
