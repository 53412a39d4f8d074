//! What the looks at pages are worth: each kind of fault, put into a page on purpose, is found.

use serde_json::json;

use super::SETTINGS;
use super::driver::Script;
use super::visitor::{Screen, Visitor};
use crate::harness::Server;

/// A fault, as a script puts it into the page for signing in, and what is said of it.
const FAULTS: [(&str, &str); 6] = [
    ("document.querySelector('label[for=login]').remove()", "label: "),
    ("document.querySelector('h1').style.color = 'var(--line)'", "Light: color-contrast: "),
    ("document.querySelector('h1').style.color = 'light-dark(black, #333)'", "Dark: color-contrast: "),
    ("document.documentElement.removeAttribute('lang')", "html-has-lang: "),
    ("document.querySelector('.card').style.width = '100rem'", "wider than the window: "),
    ("document.querySelector('#password').id = 'login'", "an id is there twice: login"),
];

/// What a browser complains of, and its words for it.
const COMPLAINTS: [(&str, &str); 4] = [
    ("document.body.setAttribute('style', 'color: red')", "Content Security Policy directive 'style-src 'self''"),
    (
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = true' }))",
        "Content Security Policy directive 'script-src 'self''",
    ),
    ("console.error('something went wrong')", "something went wrong"),
    ("document.body.append(Object.assign(new Image(), { src: '/nothing' }))", "status of 404"),
];

#[tokio::test]
async fn a_look_at_a_page_finds_what_is_wrong_with_it() {
    let server = Server::start_with(SETTINGS).await;
    let mut visitor = Visitor::begin(Script::On).await;
    for screen in [Screen::Desk, Screen::Phone] {
        visitor.come_to(&server, screen).await;
        for (fault, expected) in FAULTS {
            visitor.open("/sign-in").await;
            visitor.driver.run(fault, json!([])).await;
            let found = visitor.faults().await;
            assert!(found.iter().any(|found| found.contains(expected)), "{fault} ({screen:?}): {found:?}");
        }
    }
}

#[tokio::test]
async fn a_browser_complains_of_what_a_page_may_not_do() {
    let server = Server::start_with(SETTINGS).await;
    let mut visitor = Visitor::begin(Script::On).await;
    visitor.come_to(&server, Screen::Desk).await;
    for (fault, expected) in COMPLAINTS {
        visitor.open("/sign-in").await;
        assert_eq!(visitor.complaints(200).await, [""; 0]);
        visitor.driver.run(fault, json!([])).await;
        let mut said = Vec::new();
        visitor
            .until(&format!("the browser complains of {fault}"), async || {
                said.extend(visitor.complaints(200).await);
                said.iter().any(|said: &String| said.contains(expected))
            })
            .await;
    }
    assert_eq!(visitor.value("window.ran === undefined").await, true, "what the policy forbids does not run");
}
