//! `/1/authentication`: the question that `IronMQ` asks all the time, and the login.

use axum::extract::{Request, State};
use axum::response::Response;

use super::failure::Failure;
use super::request::identify;
use super::wire;
use crate::actions::credentials;
use crate::actions::sign_in::{SignIn, sign_in};
use crate::app::App;
use crate::domain::error::{Error, Result};
use crate::domain::id::ProjectId;
use crate::domain::session::Dialect;
use crate::domain::user::LoginName;
use crate::http::exchange::Exchange;
use crate::http::mount::Head;
use crate::http::urlencoded;

/// Whether a token identifies somebody who may use a project.
pub(super) async fn check(app: App, head: Head) -> Result<Response, Failure> {
    match admit(&app, &head).await {
        Ok(()) => Ok(wire::nothing()),
        Err(error) => Err(Failure::of_check(error)),
    }
}

async fn admit(app: &App, head: &Head) -> Result<()> {
    let caller = identify(app, &head.parts, head.client(app)).await?;
    match project(head.parts.uri.query())? {
        Some(project) => credentials::use_project(app, &caller, project).await,
        None => Ok(()),
    }
}

/// The project that is asked about. One that is named badly, or by two names, is an unknown one:
/// who asks about a project must not be answered as if they had not.
fn project(query: Option<&str>) -> Result<Option<ProjectId>> {
    let mut found = None;
    for (key, value) in urlencoded::pairs(query) {
        if key == "project_id" {
            let project = ProjectId::parse(&value).ok_or(Error::NotFound)?;
            if found.replace(project).is_some_and(|other| other != project) {
                return Err(Error::NotFound);
            }
        }
    }
    Ok(found)
}

pub(super) async fn login(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let exchange = Exchange::read(&app, Dialect::Iron, request).await?;
    let mut form = exchange.json_form()?;
    let email = form.required("email", |text| Ok(LoginName::parse_email(text)));
    let password = form.password("password");
    let (login, password) = form.finish((email, password))?;
    let issued = sign_in(&app, SignIn { login, password, dialect: Dialect::Iron }, &exchange.origin).await?;
    Ok(wire::user(&issued.user, &[issued.tokens.access.secret]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef01234567";

    #[test]
    fn a_project_may_be_named_once_in_either_spelling_or_not_at_all() {
        let id = ProjectId::parse(ID);
        assert_eq!(project(None).unwrap(), None);
        assert_eq!(project(Some("oauth=x&per_page=")).unwrap(), None);
        for query in [
            format!("project_id={ID}"),
            format!("oauth=x&project%5Fid={ID}&project_id={ID}"),
            "project_id=01234567-89ab-40cd-80ef-012345670000".to_owned(),
        ] {
            assert_eq!(project(Some(&query)).unwrap(), id, "{query}");
        }
    }

    #[test]
    fn a_badly_named_project_is_not_an_absent_one() {
        let two = format!("project_id={ID}&project_id=1{}", &ID[1..]);
        for query in ["project_id", "project_id=", "project_id=1", "project_id=%FF%00", &two] {
            assert!(matches!(project(Some(query)), Err(Error::NotFound)), "{query}");
        }
    }
}
