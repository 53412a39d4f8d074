//! The pages in a real browser: every flow as somebody walks it, with script and without, at a desk and on a phone.

mod account;
mod console;
mod driver;
mod faults;
mod gate;
mod look;
mod script;
mod visitor;

use self::driver::Script;
use self::visitor::{Screen, Visitor};
use crate::harness::Server;

/// A name that is not the program's own, as many wrong passwords as a test wants, and visitors from everywhere.
const SETTINGS: &str = "[throttle]\nenabled = false\n\n[http]\ntrusted_proxies = [\"127.0.0.1\"]\n\n\
                        [pages]\ntitle = \"Example Works\"\n";

/// Walks a way in one browser at a desk and on a phone, each time on a new server.
async fn on_each_screen(script: Script, way: impl AsyncFn(&Visitor, &Server)) {
    let mut visitor = Visitor::begin(script).await;
    for screen in [Screen::Desk, Screen::Phone] {
        let server = Server::start_with(SETTINGS).await;
        visitor.come_to(&server, screen).await;
        way(&visitor, &server).await;
    }
}
