//! Response bodies that the layer can make.

use std::any::Any;

use bytes::Bytes;
use http_body_util::Full;

/// A body of type `R` with this text, if `R` is a type that we know.
pub(super) fn known<R: 'static>(text: String) -> Option<R> {
    let full = Full::new(Bytes::from(text));
    #[cfg(feature = "axum")]
    if let Some(body) = cast(axum::body::Body::new(full.clone())) {
        return Some(body);
    }
    #[cfg(feature = "tonic")]
    if let Some(body) = cast(tonic::body::Body::new(full.clone())) {
        return Some(body);
    }
    cast(full)
}

/// `body` as an `R`, if that is what it is.
fn cast<T: 'static, R: 'static>(body: T) -> Option<R> {
    let mut slot = Some(body);
    let slot: &mut dyn Any = &mut slot;
    slot.downcast_mut::<Option<R>>()?.take()
}
