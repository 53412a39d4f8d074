//! What keeps it fast and safe: keys, and the checks that need them.

