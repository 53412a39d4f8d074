//! The `doorward` program: arguments, telemetry, exit code; nothing else.

fn main() {}
