//! Parts that worlds hold in common: a fork of a world shares each with it until one of the two changes it.
//!
//! Knows nothing of what the parts are.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A part of a world. Reading it is free, a copy of it costs nothing, and the first change after that copies it: whoever
/// may have nothing to change looks before it borrows the part to change it.
#[derive(Default)]
pub struct Common<T>(Arc<T>);

impl<T> Common<T> {
    /// Of one world, so far.
    pub fn new(part: T) -> Self {
        Self(Arc::new(part))
    }
}

impl<T> Clone for Common<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Common<T> {
    fn from(part: T) -> Self {
        Self::new(part)
    }
}

impl<T> Deref for Common<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Common<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: fmt::Debug> fmt::Debug for Common<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Common<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

#[expect(clippy::into_iter_without_iter, reason = "the part itself has one")]
impl<'a, T> IntoIterator for &'a Common<T>
where
    &'a T: IntoIterator,
{
    type Item = <&'a T as IntoIterator>::Item;
    type IntoIter = <&'a T as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (**self).into_iter()
    }
}

#[expect(clippy::into_iter_without_iter, reason = "the part itself has one")]
impl<'a, T: Clone> IntoIterator for &'a mut Common<T>
where
    &'a mut T: IntoIterator,
{
    type Item = <&'a mut T as IntoIterator>::Item;
    type IntoIter = <&'a mut T as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (**self).into_iter()
    }
}
