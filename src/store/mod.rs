//! Where things are kept.

pub mod key_file;
pub mod key_material;
