//! Where things are kept.

