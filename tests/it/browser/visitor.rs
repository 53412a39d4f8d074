//! Somebody in front of a browser: what they look for by its words, press, type and read.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::driver::{Driver, Element, Script};
use crate::harness::{Server, token_in};

/// How long a page may take to come.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// How wide the window is, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Screen {
    Phone,
    Desk,
}

impl Screen {
    pub(super) const fn width(self) -> u32 {
        match self {
            Self::Phone => 390,
            Self::Desk => 1440,
        }
    }

    const fn height(self) -> u32 {
        match self {
            Self::Phone => 844,
            Self::Desk => 900,
        }
    }
}

/// Somebody who walks through the pages.
pub(super) struct Visitor {
    pub(super) driver: Driver,
    pub(super) script: Script,
    pub(super) screen: Screen,
    base: String,
}

impl Visitor {
    /// With a browser of their own, which is nowhere yet.
    pub(super) async fn begin(script: Script) -> Self {
        let driver = Driver::start(script).await;
        let permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"];
        driver.devtools("Browser.grantPermissions", json!({ "permissions": permissions })).await;
        driver.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await;
        Self { driver, script, screen: Screen::Desk, base: String::new() }
    }

    /// Comes to a server as somebody who was never there, with a window of this size.
    pub(super) async fn come_to(&mut self, server: &Server, screen: Screen) {
        self.driver.devtools("Network.clearBrowserCookies", json!({})).await;
        let (width, height) = (screen.width(), screen.height());
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.driver.devtools("Emulation.setDeviceMetricsOverride", size).await;
        self.driver.devtools("Network.enable", json!({})).await;
        let headers = json!({ "X-Forwarded-For": "192.0.2.10" });
        self.driver.devtools("Network.setExtraHTTPHeaders", json!({ "headers": headers })).await;
        self.screen = screen;
        self.base.clone_from(&server.base);
    }

    /// Goes to a page of the server by its address.
    pub(super) async fn open(&self, path: &str) {
        self.driver.post("/url", &json!({ "url": format!("{}{path}", self.base) })).await;
    }

    /// The path of the present page, with its query.
    pub(super) async fn path(&self) -> String {
        let url = self.driver.get("/url").await;
        url.as_str().unwrap().strip_prefix(&*self.base).expect("it is a page of the server").to_owned()
    }

    /// Types into the field with this label what is to stand in it alone.
    pub(super) async fn fill(&self, label: &str, text: &str) {
        let field = self.one(&labelled(label)).await;
        self.driver.with(&field, "clear", &json!({})).await.unwrap_or_else(|error| panic!("{label}: {error}"));
        self.type_into(label, text).await;
    }

    /// Types into the field with this label.
    pub(super) async fn type_into(&self, label: &str, text: &str) {
        let field = self.one(&labelled(label)).await;
        let typed = self.driver.with(&field, "value", &json!({ "text": text })).await;
        typed.unwrap_or_else(|error| panic!("{label}: {error}"));
    }

    /// Presses keys, wherever the focus is.
    pub(super) async fn keys(&self, keys: &str) {
        let presses = keys
            .chars()
            .flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]);
        let presses: Vec<_> = presses.collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": presses });
        self.driver.post("/actions", &json!({ "actions": [keyboard] })).await;
    }

    /// Chooses one of a list, by typing its beginning.
    pub(super) async fn choose(&self, label: &str, option: &str) {
        self.type_into(label, option).await;
        let chosen = self.one(&format!("{}/option[normalize-space()={}]", labelled(label), quoted(option))).await;
        assert_eq!(self.driver.about(&chosen, "selected").await, Ok(json!(true)), "{option}");
    }

    /// Presses a button by all of its name, and waits for the page that comes.
    pub(super) async fn press(&self, name: &str) {
        self.leave_by(&format!("//button[normalize-space()={}]", quoted(name))).await;
    }

    /// Follows a link by all of its text, and waits for the page that comes.
    pub(super) async fn follow(&self, text: &str) {
        self.leave_by(&format!("//a[normalize-space()={}]", quoted(text))).await;
    }

    /// Follows the first link that begins so, and waits for the page that comes.
    pub(super) async fn follow_beginning(&self, text: &str) {
        self.leave_by(&format!("//a[starts-with(normalize-space(), {})]", quoted(text))).await;
    }

    /// Goes to a page of the area by its list of pages, which a phone shows when asked.
    pub(super) async fn turn_to(&self, text: &str) {
        if self.screen == Screen::Phone {
            self.click("//nav[contains(@class, 'nav')]//summary").await;
        }
        self.leave_by(&format!("//nav[contains(@class, 'nav')]//a[normalize-space()={}]", quoted(text))).await;
    }

    /// Clicks on what stays on this page.
    pub(super) async fn click(&self, xpath: &str) {
        let element = self.one(xpath).await;
        let clicked = self.driver.with(&element, "click", &json!({})).await;
        clicked.unwrap_or_else(|error| panic!("{xpath} on {}: {error}", self.describe()));
    }

    async fn leave_by(&self, xpath: &str) {
        let page = self.one("/html").await;
        self.click(xpath).await;
        self.until(&format!("{xpath} leads on"), async || self.driver.about(&page, "name").await.is_err()).await;
        self.until("the page is whole", async || {
            self.driver.run("return document.readyState", json!([])).await == "complete"
        })
        .await;
    }

    /// Waits until something holds.
    pub(super) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let begun = Instant::now();
        while !holds().await {
            assert!(
                begun.elapsed() < WAIT_MAX,
                "waited in vain until {what}, on {} {}",
                self.describe(),
                self.path().await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The first element of those that an `XPath` names which can be seen.
    pub(super) async fn one(&self, xpath: &str) -> Element {
        let found = self.driver.find(xpath).await;
        for element in found {
            if self.driver.about(&element, "displayed").await == Ok(json!(true)) {
                return element;
            }
        }
        panic!("{xpath} is not to be seen on {} {}: {}", self.describe(), self.path().await, self.text().await)
    }

    /// Whether anything that an `XPath` names can be seen.
    pub(super) async fn sees(&self, xpath: &str) -> bool {
        for element in self.driver.find(xpath).await {
            if self.driver.about(&element, "displayed").await == Ok(json!(true)) {
                return true;
            }
        }
        false
    }

    /// All that the page says.
    pub(super) async fn text(&self) -> String {
        let text = self.driver.run("return document.body.innerText", json!([])).await;
        text.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Asserts what the page is about, and that it says each of these.
    pub(super) async fn reads(&self, heading: &str, texts: &[&str]) {
        let headings = self.driver.run("return [...document.querySelectorAll('h1')].map(h => h.innerText)", json!([]));
        assert_eq!(headings.await, json!([heading]), "{}: {}", self.describe(), self.text().await);
        let text = self.text().await;
        for part in texts {
            assert!(text.contains(part), "{part:?} is missing in {}: {text}", self.describe());
        }
    }

    /// Waits for a mail that was not there before; the link in it to this page, as a path.
    pub(super) async fn mailed_link(&self, server: &Server, before: &[String], page: &str) -> String {
        let begin = format!("{page}?token=");
        let mut found = None;
        self.until(&format!("a mail has a link to {page}"), async || {
            found = server.mails().into_iter().find(|mail| mail.contains(&begin) && !before.contains(mail));
            found.is_some()
        })
        .await;
        found.map(|mail| begin + &token_in(&mail)).unwrap()
    }

    /// What an expression says of the page.
    pub(super) async fn value(&self, expression: &str) -> Value {
        self.driver.run(&format!("return {expression}"), json!([])).await
    }

    /// Signs in at the page for it.
    pub(super) async fn sign_in(&self, login: &str, password: &str) {
        self.open("/sign-in").await;
        self.fill("Email or username", login).await;
        self.fill("Password", password).await;
        self.press("Sign in").await;
    }

    fn describe(&self) -> String {
        format!("a {:?} with script {:?}", self.screen, self.script)
    }
}

/// The control whose label says this, whether or not it may stay empty.
fn labelled(label: &str) -> String {
    let (whole, begun) = (quoted(label), quoted(&format!("{label} (")));
    format!("//*[@id=//label[normalize-space()={whole} or starts-with(normalize-space(), {begun})]/@for]")
}

/// A text in an `XPath`, which knows no escapes.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    format!("{quote}{text}{quote}")
}
