//! The `doorward` program: allocator, cryptography, exit code; nothing else.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Only the first call has an effect, and this is the first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    doorward::cli::run()
}
