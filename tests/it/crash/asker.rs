//! One client of a server that may be killed at any moment: an answer that never came, or that the
//! store could not give, is none.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::harness::{ADMIN_TOKEN, token_in};

/// How long a mail takes at the most; a server that was killed sends none.
const MAIL_WITHIN: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(super) struct Asker {
    client: Client,
    base: String,
    outboxes: Vec<PathBuf>,
}

/// No answer came: what was asked for may have been done, or not.
#[derive(Debug)]
pub(super) struct Unanswered;

impl Asker {
    pub(super) fn new(client: Client, base: String, outboxes: Vec<PathBuf>) -> Self {
        Self { client, base, outboxes }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    async fn ask(&self, request: RequestBuilder) -> Result<(StatusCode, Value), Unanswered> {
        let answer = request.send().await.map_err(|_| Unanswered)?;
        let status = answer.status();
        // An answer whose body was cut off is none.
        let body = answer.bytes().await.map_err(|_| Unanswered)?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(Unanswered);
        }
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// A change that has to succeed where it is answered.
    async fn change(&self, request: RequestBuilder) -> Result<Value, Unanswered> {
        let (status, body) = self.ask(request).await?;
        assert!(status.is_success(), "{status} {body}");
        Ok(body)
    }

    /// A change in the rest dialect.
    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, Unanswered> {
        self.change(self.request(Method::POST, path).json(&body)).await
    }

    /// A change in the iron dialect.
    pub(super) async fn iron(
        &self,
        method: Method,
        path: &str,
        bearer: &str,
        body: Value,
    ) -> Result<Value, Unanswered> {
        self.change(self.request(method, path).bearer_auth(bearer).json(&body)).await
    }

    /// A question that the server is there to answer.
    pub(super) async fn question(&self, method: Method, path: &str, bearer: &str) -> (StatusCode, Value) {
        self.ask(self.request(method, path).bearer_auth(bearer)).await.expect("the server runs")
    }

    /// The same, with a body and without a credential.
    pub(super) async fn try_to(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask(self.request(Method::POST, path).json(&body)).await.expect("the server runs")
    }

    /// What a credential is worth, on its own and for a project.
    pub(super) async fn is_known(&self, token: &str, project: Option<&str>) -> bool {
        let query = project.map(|project| format!("?project_id={project}")).unwrap_or_default();
        let (status, body) = self.question(Method::GET, &format!("/1/authentication{query}"), token).await;
        assert!(matches!(status, StatusCode::OK | StatusCode::FORBIDDEN), "{status} {body}");
        status == StatusCode::OK
    }

    /// Whether there is such a thing, for an administrator.
    pub(super) async fn exists(&self, path: &str) -> Option<Value> {
        let (status, body) = self.question(Method::GET, path, ADMIN_TOKEN).await;
        assert!(matches!(status, StatusCode::OK | StatusCode::NOT_FOUND), "{path}: {status} {body}");
        (status == StatusCode::OK).then_some(body)
    }

    /// The tokens of a new session, where the password is right.
    pub(super) async fn sign_in(&self, email: &str, password: &str) -> Option<Value> {
        let (status, body) = self.try_to("/auth/login", json!({"email": email, "password": password})).await;
        let refusals = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        assert!(status == StatusCode::OK || refusals.contains(&status), "{status} {body}");
        (status == StatusCode::OK).then_some(body)
    }

    /// A refresh token's successor, where it has one.
    pub(super) async fn refresh(&self, token: &str) -> Option<Value> {
        let (status, body) = self.try_to("/auth/refresh-tokens", json!({"refreshToken": token})).await;
        assert!(matches!(status, StatusCode::OK | StatusCode::UNAUTHORIZED), "{status} {body}");
        (status == StatusCode::OK).then_some(body)
    }

    /// Whether a mailed secret sets a password.
    pub(super) async fn reset(&self, secret: &str, password: &str) -> bool {
        let path = format!("/auth/reset-password?token={secret}");
        let (status, body) = self.try_to(&path, json!({"password": password})).await;
        assert!(status == StatusCode::OK || status.is_client_error(), "{status} {body}");
        status == StatusCode::OK
    }

    /// The token in a mail to this address, which is taken away; none where no mail comes.
    pub(super) async fn mailed_token(&self, email: &str) -> Option<String> {
        let begun = Instant::now();
        while begun.elapsed() < MAIL_WITHIN {
            if let Some(token) = self.outboxes.iter().find_map(|outbox| take_mail(outbox, email)) {
                return Some(token);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }
}

fn take_mail(outbox: &PathBuf, email: &str) -> Option<String> {
    let mut files: Vec<_> = fs::read_dir(outbox).ok()?.filter_map(|file| Some(file.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "eml"));
    files.sort();
    let addressed = format!("To: {email}\r\n");
    // Others take theirs away meanwhile.
    let of_file = |file: &PathBuf| Some((file.clone(), fs::read_to_string(file).ok()?));
    // A notice has no link.
    let is_meant = |mail: &String| mail.contains(&addressed) && mail.contains("token=");
    let (file, mail) = files.iter().rev().filter_map(of_file).find(|(_, mail)| is_meant(mail))?;
    fs::remove_file(file).unwrap();
    Some(token_in(&mail))
}
