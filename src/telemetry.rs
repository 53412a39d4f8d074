//! Where the log goes: standard error, as text for people or as JSON for machines. A leaf: it
//! knows what a log line looks like, not what is worth logging.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One line for people, coloured on a terminal unless `NO_COLOR` is set.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why a log filter is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("log.level: {0}")]
pub struct BadFilter(String);

/// Sends the log to standard error from here on. Only the first call in a process has an effect.
///
/// # Errors
///
/// [`BadFilter`] where `filter` is neither a level nor directives such as `info,doorward=debug`.
pub fn init(filter: &str, format: Format) -> Result<(), BadFilter> {
    // A full disk or a closed pipe behind standard error must not become a panic.
    let lines =
        tracing_subscriber::fmt().with_env_filter(parse(filter)?).with_writer(stderr).log_internal_errors(false);
    let outcome = match format {
        Format::Json => lines.json().flatten_event(true).with_ansi(false).try_init(),
        Format::Text if stderr().is_terminal() => lines.try_init(),
        Format::Text => lines.with_ansi(false).try_init(),
    };
    if outcome.is_err() {
        tracing::debug!("the log was set up before");
    }
    Ok(())
}

/// Has panics written to the log from here on, as one of its lines.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let thread = std::thread::current();
        tracing::error!(thread = thread.name(), place, cause = panic.payload_as_str(), "a thread panicked");
    }));
}

/// A bare level is ours; the libraries below stay at `info` at most, because at `debug` some of
/// them write what came over the wire. Who wants that names them: `debug,h2=debug`.
fn parse(filter: &str) -> Result<EnvFilter, BadFilter> {
    let mut directives = Vec::new();
    for directive in filter.split(',').map(str::trim) {
        if directive.contains(['=', '[']) {
            directives.push(directive.to_owned());
            continue;
        }
        // The filter's own parser would take a mistyped level for the name of a module.
        let level = directive.parse::<LevelFilter>().ok().filter(|_| !directive.is_empty());
        let level = level.ok_or_else(|| BadFilter(format!("`{directive}` is not one of {LEVELS}")))?;
        directives.push(level.min(LevelFilter::INFO).to_string());
        directives.push(format!("doorward={level}"));
    }
    EnvFilter::try_new(directives.join(",")).map_err(|error| BadFilter(error.to_string()))
}

const LEVELS: &str = "off, error, warn, info, debug, trace, and is no directive such as doorward=debug";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(filter: &str) -> Vec<String> {
        let text = parse(filter).unwrap().to_string();
        let mut directives: Vec<_> = text.split(',').map(str::to_owned).collect();
        directives.sort();
        directives
    }

    #[test]
    fn a_bare_level_leaves_the_libraries_at_info() {
        assert_eq!(read("trace"), ["doorward=trace", "info"]);
        assert_eq!(read("warn"), ["doorward=warn", "warn"]);
    }

    #[test]
    fn directives_are_taken_as_given() {
        assert_eq!(read("info, hyper=debug"), ["doorward=info", "hyper=debug", "info"]);
    }

    #[test]
    fn a_mistyped_filter_is_refused_by_the_name_of_its_setting() {
        for filter in ["", "inof", "doorward=loud", "info,"] {
            let error = init(filter, Format::Text).unwrap_err().to_string();
            assert!(error.starts_with("log.level: "), "{filter:?}: {error}");
        }
    }

    #[test]
    fn setting_up_twice_is_no_error() {
        assert_eq!(init("off", Format::Text), Ok(()));
        assert_eq!(init("off", Format::Json), Ok(()));
    }
}
