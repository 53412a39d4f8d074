//! What holds of every page: axe finds nothing in it, in light and in dark; nothing in it is wider than the window; no
//! id is there twice; the browser complains of nothing. Each look leaves a picture in `target/screenshots`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doorward::domain::id::hex;
use serde_json::{Value, json};

use super::driver::Script;
use super::visitor::Visitor;
use crate::source::root;

/// axe-core 4.14.1 as it was read when it was chosen.
const AXE_SHA256: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

static AXE: LazyLock<String> = LazyLock::new(|| {
    let path = root().join("tests/browser/node_modules/axe-core/axe.min.js");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: scripts/test fetches axe-core"));
    assert_eq!(
        hex(digest(&SHA256, text.as_bytes()).as_ref()),
        AXE_SHA256,
        "{} is not the one that was chosen",
        path.display()
    );
    text
});

/// Every rule, those of target sizes too, which are off by default; or those of colours alone.
const RUN_AXE: &str = r#"
const [colours, done] = arguments;
const rules = colours
  ? { runOnly: ["color-contrast", "link-in-text-block"] }
  : { rules: { "target-size": { enabled: true } } };
axe.run(document, { resultTypes: ["violations"], ...rules }).then(
  found => done(found.violations.map(it => `${it.id}: ${it.nodes.map(node => node.target + " " + node.html).join(" | ")}`)),
  error => done([String(error)]),
);
"#;

/// What reaches beyond the window, unless it is hidden there on purpose.
const TOO_WIDE: &str = r#"
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth <= width) return [];
const wide = [...document.querySelectorAll("body *")].filter(it => it.getBoundingClientRect().right > width + 0.5);
return wide.length ? wide.map(it => it.outerHTML.slice(0, 200)) : ["the page"];
"#;

const TWICE: &str = r#"
const ids = [...document.querySelectorAll("[id]")].map(it => it.id);
return ids.filter((id, index) => ids.indexOf(id) !== index);
"#;

/// Which colours the reader's system asks for.
#[derive(Clone, Copy, Debug)]
enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Visitor {
    /// Asserts all that must hold of the present page, which came with this status.
    pub(super) async fn look(&self, name: &str, status: u16) {
        let faults = self.faults().await;
        assert_eq!(faults, [""; 0], "{name}, {:?}, script {:?}", self.screen, self.script);
        let complaints = self.complaints(status).await;
        assert_eq!(complaints, [""; 0], "{name} ({status}), {:?}, script {:?}", self.screen, self.script);
        if self.script == Script::On {
            self.picture(name, Scheme::Dark).await;
            self.picture(name, Scheme::Light).await;
        }
    }

    /// What is wrong with the present page.
    pub(super) async fn faults(&self) -> Vec<String> {
        let mut faults = self.found("an id is there twice", TWICE).await;
        faults.extend(self.found("wider than the window", TOO_WIDE).await);
        // Without scripts the page is the same, and axe, which is one, would wait for ever.
        if self.script == Script::On {
            self.driver.run(&AXE, json!([])).await;
            // In the dark, colours alone are others.
            for (scheme, colours) in [(Scheme::Light, false), (Scheme::Dark, true)] {
                self.prefer(scheme).await;
                let found = self.driver.post("/execute/async", &json!({ "script": RUN_AXE, "args": [colours] })).await;
                faults.extend(texts(&found).into_iter().map(|fault| format!("{scheme:?}: {fault}")));
            }
        }
        faults
    }

    async fn found(&self, what: &str, script: &str) -> Vec<String> {
        let found = self.driver.run(script, json!([])).await;
        texts(&found).into_iter().map(|fault| format!("{what}: {fault}")).collect()
    }

    /// What the browser says of the pages since it was asked last, beside the status that is expected. What a page's
    /// policy forbids is among it.
    pub(super) async fn complaints(&self, status: u16) -> Vec<String> {
        let log = self.driver.post("/se/log", &json!({ "type": "browser" })).await;
        let said = log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned());
        let expected = format!("the server responded with a status of {status}");
        said.filter(|said| status < 400 || !said.contains(&expected)).collect()
    }

    /// Without any transition, in the middle of which no colour would be what it is meant to be.
    async fn prefer(&self, scheme: Scheme) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme.name() },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.driver.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    async fn picture(&self, name: &str, scheme: Scheme) {
        self.prefer(scheme).await;
        let size = self.driver.devtools("Page.getLayoutMetrics", json!({})).await["cssContentSize"].take();
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let wanted = json!({ "format": "png", "captureBeyondViewport": true, "optimizeForSpeed": true, "clip": clip });
        let picture = self.driver.devtools("Page.captureScreenshot", wanted).await;
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        fs::create_dir_all(pictures()).unwrap();
        let file = format!("{name}-{}-{}.png", self.screen.width(), scheme.name());
        fs::write(pictures().join(file), bytes).unwrap();
    }
}

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../screenshots")
}

fn texts(found: &Value) -> Vec<String> {
    found.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}
