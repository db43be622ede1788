//! Why somebody was not let in.

use std::error::Error;
use std::fmt;

use http::StatusCode;

use super::BoxError;

/// Why somebody was not let in: what [`Report::auth`](crate::Report::auth) is told.
///
/// Neither the password nor the token is part of it, and the crate never reads one.
///
/// # Example
/// ```
/// use faultwire::report::AuthFailure;
///
/// assert_eq!(AuthFailure::BadCredentials.as_str(), "bad_credentials");
/// assert_eq!(AuthFailure::BadCredentials.status(), 401);
/// assert_eq!(AuthFailure::ProviderDown.status(), 503);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthFailure {
    /// A wrong password, an unknown account, a wrong API key. 401.
    BadCredentials,
    /// A token or session outside of its time. 401.
    ExpiredToken,
    /// A token that is not one of ours: forged, damaged, for somebody else. 401.
    BadSignature,
    /// A form without its anti-forgery token. 403.
    Csrf,
    /// A wrong or missing second factor. 401.
    Mfa,
    /// The account, or the network, may not try any more. 403: 423 is about WebDAV's locks, and 429 about rates.
    /// It tells that the account exists; [`Report::status`](crate::Report::status) with 401 does not.
    Locked,
    /// Known, and not allowed to. 403.
    Forbidden,
    /// Whoever knows the users does not answer: the identity provider, the directory, its key set. 503, and an error
    /// at once.
    ProviderDown,
    /// Our own keys or settings are wrong: an unusable signing key. 500, and an error at once.
    Misconfigured,
}

impl AuthFailure {
    pub(crate) const ALL: [Self; 9] = [
        Self::BadCredentials,
        Self::ExpiredToken,
        Self::BadSignature,
        Self::Csrf,
        Self::Mfa,
        Self::Locked,
        Self::Forbidden,
        Self::ProviderDown,
        Self::Misconfigured,
    ];

    /// The tag's value: `bad_credentials`, `expired_token`, `bad_signature`, `csrf`, `mfa`, `locked`, `forbidden`,
    /// `provider_down` or `misconfigured`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadCredentials => "bad_credentials",
            Self::ExpiredToken => "expired_token",
            Self::BadSignature => "bad_signature",
            Self::Csrf => "csrf",
            Self::Mfa => "mfa",
            Self::Locked => "locked",
            Self::Forbidden => "forbidden",
            Self::ProviderDown => "provider_down",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// The status of the response, unless [`Report::status`](crate::Report::status) says another (RFC 9110, 15.5.2
    /// and 15.5.4; RFC 9470 for the second factor).
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadCredentials | Self::ExpiredToken | Self::BadSignature | Self::Mfa => {
                StatusCode::UNAUTHORIZED
            }
            Self::Csrf | Self::Locked | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::ProviderDown => StatusCode::SERVICE_UNAVAILABLE,
            Self::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The failure with the error behind it, which becomes the rest of the chain.
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    /// use faultwire::report::AuthFailure;
    ///
    /// fn keys() -> Result<String, Report> {
    ///     std::fs::read_to_string("/run/keys/jwks.json")
    ///         .map_err(|error| Report::auth(AuthFailure::ProviderDown.because(error)))
    /// }
    /// # drop(keys());
    /// ```
    #[must_use]
    pub fn because(self, error: impl Into<BoxError>) -> AuthError {
        AuthError { failure: self, source: Some(error.into()) }
    }

    /// Whether it may be somebody who tries. A token that was good once, a form, a missing right are none.
    pub(crate) const fn is_guess(self) -> bool {
        matches!(self, Self::BadCredentials | Self::BadSignature | Self::Mfa | Self::Locked)
    }

    /// Whether the fault is not the client's.
    pub(crate) const fn is_outage(self) -> bool {
        matches!(self, Self::ProviderDown | Self::Misconfigured)
    }
}

impl fmt::Display for AuthFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadCredentials => "bad credentials",
            Self::ExpiredToken => "expired token",
            Self::BadSignature => "bad signature",
            Self::Csrf => "the anti-forgery check failed",
            Self::Mfa => "the second factor failed",
            Self::Locked => "locked",
            Self::Forbidden => "forbidden",
            Self::ProviderDown => "the identity provider does not answer",
            Self::Misconfigured => "authentication is misconfigured",
        })
    }
}

impl Error for AuthFailure {}

/// An [`AuthFailure`] and the error behind it, if there is one: what [`AuthFailure::because`] makes.
///
/// # Example
/// ```
/// use std::error::Error as _;
///
/// use faultwire::report::{AuthError, AuthFailure};
///
/// let error: AuthError = AuthFailure::ProviderDown.because("no answer in 2 s");
/// assert_eq!(error.to_string(), "the identity provider does not answer");
/// assert_eq!(error.source().unwrap().to_string(), "no answer in 2 s");
/// ```
#[derive(Debug)]
pub struct AuthError {
    failure: AuthFailure,
    source: Option<BoxError>,
}

impl AuthError {
    /// What failed.
    ///
    /// # Example
    /// ```
    /// use faultwire::report::{AuthError, AuthFailure};
    ///
    /// assert_eq!(AuthError::from(AuthFailure::Csrf).failure(), AuthFailure::Csrf);
    /// ```
    #[must_use]
    pub const fn failure(&self) -> AuthFailure {
        self.failure
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.failure, f)
    }
}

impl Error for AuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<AuthFailure> for AuthError {
    fn from(failure: AuthFailure) -> Self {
        Self { failure, source: None }
    }
}

#[cfg(feature = "jsonwebtoken")]
impl From<&jsonwebtoken::errors::Error> for AuthFailure {
    /// [`ExpiredToken`](Self::ExpiredToken) for a token outside of its time, [`Misconfigured`](Self::Misconfigured)
    /// where our own key is at fault, [`BadSignature`](Self::BadSignature) for every other token.
    ///
    /// An error does not tell whether a token was read or written. Where `Validation::algorithms` allows what the key
    /// is not for (ES256 and ES384, HS256 and RS256), a token that names the other one is `InvalidEcdsaKey` or
    /// `InvalidKeyFormat`: misconfigured, answered 500 and sent, as often as a client likes. Allow what the key is for, or
    /// say so where you read tokens:
    ///
    /// ```
    /// use faultwire::Report;
    /// use faultwire::report::AuthFailure;
    /// use jsonwebtoken::errors::{Error, ErrorKind};
    ///
    /// fn not_let_in(error: Error) -> Report {
    ///     match error.kind() {
    ///         ErrorKind::InvalidEcdsaKey | ErrorKind::InvalidKeyFormat => {
    ///             Report::auth(AuthFailure::BadSignature.because(error))
    ///         }
    ///         _ => Report::auth(error),
    ///     }
    /// }
    ///
    /// let report = not_let_in(ErrorKind::InvalidEcdsaKey.into());
    /// assert_eq!(report.to_string(), "bad signature");
    /// # drop(report);
    /// ```
    fn from(error: &jsonwebtoken::errors::Error) -> Self {
        use jsonwebtoken::errors::ErrorKind;

        match error.kind() {
            ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => Self::ExpiredToken,
            ErrorKind::InvalidEcdsaKey
            | ErrorKind::InvalidEddsaKey
            | ErrorKind::InvalidRsaKey(_)
            | ErrorKind::RsaFailedSigning
            | ErrorKind::Signing(_)
            | ErrorKind::InvalidAlgorithmName
            | ErrorKind::UnsupportedAlgorithm
            | ErrorKind::InvalidKeyFormat
            | ErrorKind::MissingAlgorithm
            | ErrorKind::Provider(_) => Self::Misconfigured,
            _ => Self::BadSignature,
        }
    }
}

#[cfg(feature = "jsonwebtoken")]
impl From<jsonwebtoken::errors::Error> for AuthError {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        AuthFailure::from(&error).because(error)
    }
}
