//! Style sheet, script and logo, in the binary. Each is named by its content, so that a browser keeps it for ever and
//! still never shows an old one.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::domain::id::hex;
use crate::http::health;

/// A file of the pages.
pub(super) struct Asset {
    /// The path that it is served at.
    pub(super) path: String,
    content_type: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let name = hex(digest(&SHA256, bytes).as_ref());
        Self { path: format!("/assets/{stem}-{}.{extension}", &name[..16]), content_type, bytes }
    }
}

/// How it looks.
pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("style", "css", "text/css; charset=utf-8", include_bytes!("../../assets/pages/style.css"))
});
/// What a browser with scripts adds.
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("script", "js", "text/javascript; charset=utf-8", include_bytes!("../../assets/pages/script.js"))
});
/// The mark in the tab.
pub(super) static LOGO: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("logo", "svg", "image/svg+xml", include_bytes!("../../assets/pages/logo.svg")));

pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let found = [&STYLE, &SCRIPT, &LOGO].into_iter().find(|asset| asset.path.rsplit('/').next() == Some(&*name));
    let Some(asset) = found else { return health::not_found() };
    let kept = [(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (StatusCode::OK, kept, asset.bytes).into_response()
}
