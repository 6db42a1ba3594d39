//! Why something about a group was refused.

/// The code of a ban.
pub(super) const BANNED: &str = "banned";

/// Why a group, or a place in it, was refused. The text is what the user is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The name can be no group's.
    #[error("illegal group name")]
    IllegalName,
    /// There is no file for it, or the file was removed.
    #[error("group does not exist")]
    DoesNotExist,
    /// Its file cannot be read or understood, and no good version is known. The log says why.
    #[error("the description of this group is broken, ask its administrator to mend it")]
    Broken,
    /// Wrong password, unknown user, or a username that can be no one's.
    #[error("not authorised")]
    NotAuthorised,
    /// Wrong credentials came from this address too often. In so many seconds it may try again.
    #[error("too many failed logins from your address, try again in {0} seconds")]
    TooManyAttempts(u64),
    /// Neither username nor token was given.
    #[error("username required")]
    UsernameRequired,
    /// The token lets everyone in but those who have a password of their own.
    #[error("not authorised: this username is taken")]
    DuplicateUsername,
    /// `max-clients` is reached.
    #[error("too many users")]
    TooManyUsers,
    /// An operator, or `autolock`, locked it: the message of the lock.
    #[error("{0}")]
    Locked(String),
    /// `not-before` is to come.
    #[error("this group is not open yet")]
    NotOpenYet,
    /// `expires` is past.
    #[error("this group is closed")]
    Closed,
    /// `autokick` needs an operator inside.
    #[error("there are no operators in this group")]
    NoOperators,
    /// An operator did not let it in: with these words.
    #[error("{0}")]
    LobbyRefused(String),
    /// Too many wait already.
    #[error("too many wait to be let in")]
    LobbyFull,
    /// By name or by address: the message of the ban.
    #[error("{0}")]
    Banned(String),
    /// A ban that makes no sense: why.
    #[error("{0}")]
    Unbannable(&'static str),
    /// So many are kept, and no more.
    #[error("too many bans")]
    TooManyBans,
    /// It was lifted, or is over.
    #[error("no such ban")]
    NoSuchBan,
    /// It lives elsewhere: at this URL.
    #[error("this group is at {0}")]
    Redirect(String),
    /// Another client inside has the same id.
    #[error("duplicate client id")]
    DuplicateId,
    /// No client of the group has this id. The text depends on what was asked.
    #[error("no such user")]
    NoSuchUser,
    /// The stream id is taken by someone else.
    #[error("this stream id is in use")]
    DuplicateStream,
    /// More than is kept for one client or group.
    #[error("too much data")]
    TooMuchData,
    /// The server is shutting down.
    #[error("server is shutting down")]
    ShuttingDown,
    /// Not the user's fault; the log says more.
    #[error("internal server error")]
    Internal,
}

impl GroupError {
    /// The stable code for programs (`error` of the protocol), where there is one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::UsernameRequired => Some("need-username"),
            Self::DuplicateUsername => Some("duplicate-username"),
            Self::TooManyAttempts(_) => Some("too-many-attempts"),
            Self::LobbyRefused(_) => Some("lobby-refused"),
            Self::LobbyFull => Some("lobby-full"),
            Self::Banned(_) => Some(BANNED),
            _ => None,
        }
    }
}
