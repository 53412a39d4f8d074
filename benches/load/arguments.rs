//! What was asked for on the command line.

use crate::rows::{self, Row};

/// What to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) quick: bool,
    pub(crate) growth: bool,
    /// The rows of PostgreSQL instead of the others.
    pub(crate) postgres: bool,
    /// One row alone.
    pub(crate) row: Option<String>,
}

impl Arguments {
    /// Reads the arguments after the program's name; the error is a line for people.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut parsed = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                // Cargo passes it to every benchmark.
                "--bench" => {}
                "--quick" => parsed.quick = true,
                "--growth" => parsed.growth = true,
                "--postgres" => parsed.postgres = true,
                "--row" => parsed.row = Some(rest.next().cloned().unwrap_or_default()),
                other => {
                    return Err(format!(
                        "unknown argument {other}: there are --quick, --row NAME, --growth and --postgres"
                    ));
                }
            }
        }
        parsed.check_row()?;
        Ok(parsed)
    }

    /// The rows of the table that is asked for.
    pub(crate) fn rows(&self) -> &'static [Row] {
        if self.postgres { &rows::POSTGRES } else { &rows::ALL }
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.row.as_deref().is_none_or(|wanted| wanted == name)
    }

    fn check_row(&self) -> Result<(), String> {
        let Some(name) = &self.row else { return Ok(()) };
        if self.rows().iter().any(|row| row.name == name) {
            return Ok(());
        }
        let names: Vec<_> = self.rows().iter().map(|row| row.name).collect();
        Err(format!("--row needs a name, one of {}: {name:?} is none", names.join(", ")))
    }
}
