//! Conversion between the model and its published mirror, field by field, so
//! that the compiler finds a field that one of them lacks.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A published type that mirrors the model's `M`.
pub(in crate::report::json) trait Mirror<M>: Sized {
    /// The published form.
    fn mirror(model: &M) -> Self;
    /// The model's form.
    fn restore(self) -> M;
}

macro_rules! same {
    ($($type:ty),*) => {$(
        impl Mirror<$type> for $type {
            fn mirror(model: &$type) -> Self { model.clone() }
            fn restore(self) -> $type { self }
        }
    )*};
}
same!(String, bool, u8, u16, u32, u64, i16, i32, i64, usize);

/// A number of the model; JSON has no infinities, so those become `null`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub(in crate::report::json) struct Real(Option<f64>);

impl Real {
    /// Where an earlier version did not write the key.
    pub(in crate::report::json) fn unknown() -> Self {
        Self(None)
    }
}

impl Mirror<f64> for Real {
    fn mirror(model: &f64) -> Self {
        Self(model.is_finite().then_some(*model))
    }
    fn restore(self) -> f64 {
        self.0.unwrap_or(f64::NAN)
    }
}

/// A hash, as sixteen hexadecimal digits: JSON's readers round large numbers.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub(in crate::report::json) struct Hex(String);

impl Mirror<u64> for Hex {
    fn mirror(model: &u64) -> Self {
        Self(format!("{model:016x}"))
    }
    fn restore(self) -> u64 {
        u64::from_str_radix(&self.0, 16).unwrap_or(0)
    }
}

/// A list that is kept in files of its own, or is wanted for one format only.
#[derive(Debug, Clone, Default)]
pub(in crate::report::json) struct Omitted;

impl<M> Mirror<Vec<M>> for Omitted {
    fn mirror(_model: &Vec<M>) -> Self {
        Self
    }
    fn restore(self) -> Vec<M> {
        Vec::new()
    }
}

impl Mirror<&'static str> for String {
    fn mirror(model: &&'static str) -> Self {
        (*model).to_owned()
    }
    fn restore(self) -> &'static str {
        super::intern::intern(&self)
    }
}

impl Mirror<PathBuf> for String {
    fn mirror(model: &PathBuf) -> Self {
        model.to_string_lossy().into_owned()
    }
    fn restore(self) -> PathBuf {
        self.into()
    }
}

impl<M, D: Mirror<M>> Mirror<Vec<M>> for Vec<D> {
    fn mirror(model: &Vec<M>) -> Self {
        model.iter().map(D::mirror).collect()
    }
    fn restore(self) -> Vec<M> {
        self.into_iter().map(D::restore).collect()
    }
}

impl<M, D: Mirror<M>> Mirror<Option<M>> for Option<D> {
    fn mirror(model: &Option<M>) -> Self {
        model.as_ref().map(D::mirror)
    }
    fn restore(self) -> Option<M> {
        self.map(D::restore)
    }
}

impl<M, D: Mirror<M>> Mirror<Box<M>> for Box<D> {
    fn mirror(model: &Box<M>) -> Self {
        Self::new(D::mirror(model))
    }
    fn restore(self) -> Box<M> {
        Box::new((*self).restore())
    }
}

impl<M, D: Mirror<M>> Mirror<BTreeMap<String, M>> for BTreeMap<String, D> {
    fn mirror(model: &BTreeMap<String, M>) -> Self {
        model.iter().map(|(key, value)| (key.clone(), D::mirror(value))).collect()
    }
    fn restore(self) -> BTreeMap<String, M> {
        self.into_iter().map(|(key, value)| (key, value.restore())).collect()
    }
}

impl<A, B, C: Mirror<A>, D: Mirror<B>> Mirror<(A, B)> for (C, D) {
    fn mirror(model: &(A, B)) -> Self {
        (C::mirror(&model.0), D::mirror(&model.1))
    }
    fn restore(self) -> (A, B) {
        (self.0.restore(), self.1.restore())
    }
}

impl<A, B, E, C: Mirror<A>, D: Mirror<B>, F: Mirror<E>> Mirror<(A, B, E)> for (C, D, F) {
    fn mirror(model: &(A, B, E)) -> Self {
        (C::mirror(&model.0), D::mirror(&model.1), F::mirror(&model.2))
    }
    fn restore(self) -> (A, B, E) {
        (self.0.restore(), self.1.restore(), self.2.restore())
    }
}

/// Declares published types: `struct Name of Model { field: Type, … }` (every
/// field of the model), `words Name of Model { Variant = "word", … }` for an
/// enum of bare words, and `tagged Name of Model { Variant = "tag" { … }, … }`
/// for an enum with fields, told apart by the key `kind`.
macro_rules! mirror {
    () => {};
    ($(#[$meta:meta])* struct $name:ident of $model:ident {
        $($(#[$field_meta:meta])* $field:ident : $type:ty),* $(,)?
    } $($rest:tt)*) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub(in crate::report::json) struct $name { $($(#[$field_meta])* $field: $type),* }
        impl Mirror<$model> for $name {
            #[allow(unused_variables, reason = "a mirror may be empty")]
            fn mirror(model: &$model) -> Self {
                Self { $($field: Mirror::mirror(&model.$field)),* }
            }
            fn restore(self) -> $model {
                $model { $($field: Mirror::restore(self.$field)),* }
            }
        }
        mirror! { $($rest)* }
    };
    ($(#[$meta:meta])* words $name:ident of $model:ident {
        $($variant:ident = $word:literal),* $(,)?
    } $($rest:tt)*) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub(in crate::report::json) enum $name { $(#[serde(rename = $word)] $variant),* }
        impl Mirror<$model> for $name {
            fn mirror(model: &$model) -> Self {
                match model { $($model::$variant => Self::$variant),* }
            }
            fn restore(self) -> $model {
                match self { $(Self::$variant => $model::$variant),* }
            }
        }
        mirror! { $($rest)* }
    };
    ($(#[$meta:meta])* tagged $name:ident of $model:ident {
        $($variant:ident = $tag:literal { $($field:ident : $type:ty),* $(,)? }),* $(,)?
    } $($rest:tt)*) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "kind")]
        pub(in crate::report::json) enum $name { $(#[serde(rename = $tag)] $variant { $($field: $type),* }),* }
        impl Mirror<$model> for $name {
            fn mirror(model: &$model) -> Self {
                match model { $($model::$variant { $($field),* } => Self::$variant { $($field: Mirror::mirror($field)),* }),* }
            }
            fn restore(self) -> $model {
                match self { $(Self::$variant { $($field),* } => $model::$variant { $($field: Mirror::restore($field)),* }),* }
            }
        }
        mirror! { $($rest)* }
    };
}
