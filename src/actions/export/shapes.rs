//! How what is kept about a user looks in their copy of it.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::domain::id::{UserId, hex};
use crate::domain::project::Project;
use crate::domain::session::Session;
use crate::domain::token::ApiToken;
use crate::store::{Account, Record};

fn moment(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::rfc3339)
}

/// Of the password only whether there is one.
pub(super) fn user_fields(account: &Account) -> Value {
    let user = &account.user;
    json!({
        "id": user.id.to_string(),
        "uuid": user.id.to_uuid(),
        "email": user.email,
        "email_verified_at": moment(user.email_verified_at),
        "username": user.username,
        "name": user.name,
        "bio": user.bio,
        "has_password": account.password.is_some(),
        "status": user.status.as_str(),
        "permissions": user.permissions,
        "flags": user.flags,
        "plan_worker": user.plan_worker,
        "created_at": user.created_at.rfc3339(),
        "updated_at": user.updated_at.rfc3339(),
    })
}

pub(super) fn session(session: &Session) -> Value {
    json!({
        "id": session.id.to_string(),
        "dialect": session.dialect.as_str(),
        "created_at": session.created_at.rfc3339(),
        "last_used_at": session.last_used_at.rfc3339(),
        "expires_at": session.expires_at.rfc3339(),
        "ended_at": moment(session.ended_at),
        "refreshes": session.generation,
        "address": session.address,
        "user_agent": session.user_agent,
    })
}

/// The ends of the secret stay out of it, too: they are a part of it.
pub(super) fn token(token: &ApiToken) -> Value {
    json!({
        "id": token.id.to_string(),
        "name": token.name,
        "type": token.kind,
        "admin": token.admin,
        "created_at": token.created_at.rfc3339(),
        "expires_at": moment(token.expires_at),
    })
}

pub(super) fn project(project: &Project, shared_with: &[Value]) -> Value {
    let counters = project.counters;
    json!({
        "id": project.id.to_string(),
        "name": project.name,
        "type": project.kind,
        "partner": project.partner,
        "status": project.status,
        "total_duration": counters.total_duration,
        "max_schedules": counters.max_schedules,
        "schedules_count": counters.schedules_count,
        "task_count": counters.task_count,
        "hourly_task_count": counters.hourly_task_count,
        "hourly_time": project.hourly_time.rfc3339(),
        "flags": project.flags,
        "created_at": project.created_at.rfc3339(),
        "shared_with": shared_with,
    })
}

/// Where another user did it, that one's address, browser and credential are nobody else's business.
pub(super) fn audit_row(row: &Record, me: UserId) -> Value {
    let shown = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(hex);
    let by_another = row.actor.as_deref().is_some_and(|actor| actor != me.as_bytes());
    let mine = |text: &Option<String>| text.clone().filter(|_| !by_another);
    json!({
        "seq": row.seq,
        "at": row.at.rfc3339(),
        "action": row.action,
        "result": row.result,
        "reason": row.reason,
        "actor": shown(&row.actor),
        "credential": row.credential,
        "credential_id": shown(&row.credential_id).filter(|_| !by_another),
        "subject": row.subject,
        "subject_id": shown(&row.subject_id),
        "user": shown(&row.user_id),
        "detail": row.detail,
        "address": mine(&row.address),
        "user_agent": mine(&row.user_agent),
        "via": row.via,
        "times": row.times,
    })
}
