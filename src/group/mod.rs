//! Groups: their descriptions, who may join, who is inside, and what was said.
//!
//! A [`Group`] never waits: each of its methods takes its lock, changes it, and puts what members
//! must be told into their bounded [`Mailbox`]es before it unlocks, so that all members see the
//! same order. Files are read and passwords hashed by [`Registry`], outside of any lock and off
//! the async threads.

mod action;
mod administer;
mod ban;
mod credentials;
mod data;
mod description;
pub mod disk;
mod error;
mod event;
mod gate;
mod history;
mod jwt;
mod lobby;
mod mailbox;
mod membership;
mod name;
mod notice;
mod permission;
mod registry;
mod speaker;
mod status;
mod stream;
mod token;
mod update;
mod watch;

pub use action::Grant;
pub use ban::{Ban, Bans, Network};
pub use credentials::{Credentials, Password};
pub use data::Data;
pub(crate) use description::line_of;
pub use description::{
    ClientPattern, Description, DescriptionError, Entry, Remark, UserDescription,
};
pub use error::GroupError;
pub use event::{GroupEvent, Happening};
pub use gate::Gate;
pub use history::{ChatMessage, Clear, History};
pub use mailbox::{Mailbox, MailboxClosed, MailboxLimits};
pub use membership::{Group, JoinRequest};
pub use name::{is_legal_name, is_legal_username};
pub use notice::{
    Guest, Kick, Membership, Notice, PeerChange, Refusal, User, UserChange, UserMessage, Wait,
};
pub use permission::{Permissions, Role, RoleOrList};
pub use registry::{
    BanRequest, Banned, Census, EditError, Inspected, JoinError, Newcomer, Refused, Registry,
    inspect,
};
pub use speaker::SpeakingStream;
pub(crate) use status::PATH;
pub use status::{BaseUrl, BaseUrlError, Status};
pub use stream::{PublishedStream, PublishedTrack};
pub use token::{Token, TokenError, TokenStore, Tokens};
