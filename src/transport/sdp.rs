//! SDP offers and answers (RFC 8829), read from and written to [`super::description`].
