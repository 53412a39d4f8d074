//! Somebody with a browser that runs no scripts: keeps cookies, follows no redirect by itself, and sends forms with
//! what the page before gave them to send.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, StatusCode};

use super::{PASSWORD, Server};

pub(crate) const SESSION: &str = "__Host-doorward-session";

/// A browser of one person.
pub(crate) struct Browser<'s> {
    server: &'s Server,
    client: Client,
    pub(crate) cookies: BTreeMap<String, String>,
    /// What the page seen last gave forms to carry.
    pub(crate) form_token: String,
    /// What it says that it reads.
    pub(crate) language: &'static str,
}

/// An answer.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Page {
    /// Where it sends the browser.
    pub(crate) fn to(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.html);
        self.headers[LOCATION].to_str().unwrap()
    }

    /// What stands between two marks, the first time.
    pub(crate) fn between(&self, before: &str, after: &str) -> String {
        let start = self.html.find(before).unwrap_or_else(|| panic!("{before} is not in {}", self.html)) + before.len();
        let length = self.html[start..].find(after).unwrap();
        self.html[start..start + length].to_owned()
    }

    pub(crate) fn says(&self, text: &str) -> bool {
        self.html.contains(text)
    }
}

impl<'s> Browser<'s> {
    pub(crate) fn new(server: &'s Server) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { server, client, cookies: BTreeMap::new(), form_token: String::new(), language: "en" }
    }

    /// Of somebody who is signed in.
    pub(crate) async fn signed_in(server: &'s Server, login: &str, password: &str) -> Self {
        let mut browser = Self::new(server);
        browser.get("/sign-in").await;
        let answer = browser.send("/sign-in", &[("login", login), ("password", password)]).await;
        assert_eq!(answer.to(), "/account");
        browser
    }

    /// Of somebody who is new.
    pub(crate) async fn registered(server: &'s Server, email: &str) -> Self {
        let mut browser = Self::new(server);
        browser.get("/register").await;
        let answer = browser.send("/register", &[("name", "Ann"), ("email", email), ("password", PASSWORD)]).await;
        assert_eq!(answer.to(), "/account?done=registered");
        browser
    }

    /// A request with all that a browser sends along.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let request = self.client.request(method, format!("{}{path}", self.server.base));
        let request =
            request.header("accept-language", self.language).header("user-agent", "Mozilla/5.0 Firefox/140.0");
        request.header(COOKIE, pairs.collect::<Vec<_>>().join("; "))
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let request = self.request(Method::GET, path);
        self.take(request).await
    }

    /// Sends a form with what the page before gave it to carry.
    pub(crate) async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.form_token.clone();
        let fields: Vec<_> = fields.iter().copied().chain([("form_token", &*token)]).collect();
        let request = self.request(Method::POST, path).form(&fields);
        self.take(request).await
    }

    /// Opens the page of a form and sends it.
    pub(crate) async fn fill(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        self.get(page).await;
        self.send(path, fields).await
    }

    pub(crate) async fn take(&mut self, request: RequestBuilder) -> Page {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        for line in headers.get_all(SET_COOKIE) {
            let (name, value) = line.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let page = Page { status, headers, html: answer.text().await.unwrap() };
        if page.says("name=\"form_token\"") {
            self.form_token = page.between("name=\"form_token\" value=\"", "\"");
        }
        page
    }

    /// The cookie of the session.
    pub(crate) fn session(&self) -> &str {
        &self.cookies[SESSION]
    }
}
