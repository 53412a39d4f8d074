//! What was asked for on the command line.

use crate::rows;

/// What to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) quick: bool,
    pub(crate) growth: bool,
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
                "--row" => parsed.row = Some(row(rest.next())?),
                other => return Err(format!("unknown argument {other}: there are --quick, --row NAME and --growth")),
            }
        }
        Ok(parsed)
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.row.as_deref().is_none_or(|wanted| wanted == name)
    }
}

fn row(name: Option<&String>) -> Result<String, String> {
    let names = || rows::ALL.map(|row| row.name).join(", ");
    let name = name.ok_or_else(|| format!("--row needs a name: {}", names()))?;
    let known = rows::ALL.iter().any(|row| row.name == name);
    known.then(|| name.clone()).ok_or_else(|| format!("unknown row {name}: there are {}", names()))
}
