//! What the world must keep.
