//! Who did what.

use askama::Template;
use axum::response::Response;

use super::names::{self, Named, Names};
use crate::actions::audit::{self, Filter, Order, Record, Whose};
use crate::actions::users;
use crate::clock::Timestamp;
use crate::domain::audit::Action;
use crate::domain::error::{Error, Result};
use crate::domain::id::{UserId, hex};
use crate::domain::user::UserRef;
use crate::web::frame::Frame;
use crate::web::pages_of::{ROWS, Ways};
use crate::web::typed::Typed;
use crate::web::visit::Member;

const PATH: &str = "/console/audit";

/// A row of the log, readable.
struct Row {
    seq: i64,
    at: Timestamp,
    action: String,
    actor: Option<Named>,
    user: Option<Named>,
    address: String,
    is_refused: bool,
    /// What else is known of it.
    facts: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "pages/console/audit.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    actions: &'static [Action],
    rows: Vec<Row>,
    pages: Ways,
}

pub(super) async fn list(mut member: Member) -> Result<Response> {
    let typed = Typed::of(&mut member.form, &["action", "result", "user", "since", "after"]);
    let (form, records) = match filter(&member, &typed).await {
        Ok(filter) => {
            let after = place(typed.value("after"))?;
            let limit = usize::try_from(ROWS).unwrap_or_default() + 1;
            let (caller, order) = (&member.actor.caller, (Order::NewestFirst, after));
            (typed, audit::list(&member.app, caller, &filter, order, limit).await?)
        }
        Err(error) => (typed.wrong(member.frame.t, error)?, Vec::new()),
    };
    show(&member, &form, records).await
}

/// The number of the row behind which a page begins.
fn place(after: &str) -> Result<Option<i64>> {
    let bad = |_| Error::invalid("after", "is no place in this list");
    if after.is_empty() { Ok(None) } else { after.parse().map(Some).map_err(bad) }
}

async fn show(member: &Member, form: &Typed, mut records: Vec<Record>) -> Result<Response> {
    let has_more = records.len() > usize::try_from(ROWS).unwrap_or_default();
    if has_more {
        records.pop();
    }
    let next = records.last().filter(|_| has_more).map(|record| record.seq.to_string());
    let ids: Vec<_> = records.iter().flat_map(ids).collect();
    let names = Names::of(member, ids).await?;
    let after = Some(form.value("after")).filter(|after| !after.is_empty());
    let filters = ["action", "result", "user", "since"].map(|name| (name, form.value(name)));
    let pages = Ways::new(PATH, &filters, after, next.as_deref());
    let frame = &member.frame;
    let rows = records.into_iter().map(|record| row(frame, &names, record)).collect();
    let page = Page { frame, form, actions: Action::ALL, rows, pages };
    Ok(frame.show_form(form, &page))
}

/// Whom a row names.
fn ids(record: &Record) -> Vec<UserId> {
    [&record.actor, &record.user_id].into_iter().filter_map(|id| names::user(id.as_deref()?)).collect()
}

async fn filter(member: &Member, form: &Typed) -> Result<Filter> {
    let whose = match form.value("user").trim() {
        "" => Whose::Everybodys,
        name => match users::get(&member.app, &member.actor.caller, &UserRef::parse(name)).await {
            Ok(user) => Whose::Concerning(user.id),
            Err(Error::NotFound) => return Err(Error::invalid("user", "is nobody")),
            Err(error) => return Err(error),
        },
    };
    let since = match form.value("since") {
        "" => None,
        day => Some(Timestamp::parse_day(day).ok_or_else(|| Error::invalid("since", "must be a day"))?),
    };
    let is_refused = match form.value("result") {
        "done" => Some(false),
        "refused" => Some(true),
        _ => None,
    };
    let action = match form.value("action") {
        "" => None,
        word => Some(Action::parse(word).ok_or_else(|| Error::invalid("action", "is no action of this log"))?),
    };
    Ok(Filter { whose, action, is_refused, since, ..Filter::default() })
}

fn row(frame: &Frame, names: &Names, record: Record) -> Row {
    let t = frame.t;
    let id = |id: &Option<Vec<u8>>| id.as_deref().map(hex);
    let facts = [
        (t.reason, record.reason),
        (t.details, record.detail),
        (t.times_happened, (record.times > 1).then(|| t.number(u64::try_from(record.times).unwrap_or_default()))),
        (t.via, Some(record.via)),
        (t.credential, Some(record.credential)),
        (t.credential_id, id(&record.credential_id)),
        (t.subject, record.subject),
        (t.subject_id, id(&record.subject_id)),
        (t.program, record.user_agent),
        (t.row_number, Some(record.seq.to_string())),
    ];
    Row {
        seq: record.seq,
        at: record.at,
        action: record.action,
        actor: names.get(record.actor.as_deref()),
        user: names.get(record.user_id.as_deref()),
        address: record.address.unwrap_or_default(),
        is_refused: record.result == "refused",
        facts: facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
    }
}
