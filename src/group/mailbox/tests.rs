use super::{Mailbox, MailboxClosed, MailboxLimits};
use crate::group::{Kick, Notice, UserMessage};
use std::sync::Arc;
use std::time::Duration;

fn kick(message: &str) -> Notice {
    Notice::Kicked(Kick {
        by: None,
        message: message.into(),
        code: None,
    })
}

fn text(notice: Notice) -> String {
    match notice {
        Notice::Kicked(kick) => kick.message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn in_order() {
    let mailbox = Arc::new(Mailbox::new(MailboxLimits::default()));
    let writer = Arc::clone(&mailbox);
    let task = tokio::spawn(async move {
        for n in 0..100 {
            writer.push(kick(&n.to_string()));
            tokio::task::yield_now().await;
        }
    });
    for n in 0..100 {
        assert_eq!(text(mailbox.next().await.unwrap()), n.to_string());
    }
    task.await.unwrap();
    assert!(mailbox.try_next().unwrap().is_none());
}

#[tokio::test]
async fn one_too_many_closes() {
    let mailbox = Arc::new(Mailbox::new(MailboxLimits {
        notices: 3,
        weight: 1 << 20,
    }));
    let waiting = Arc::clone(&mailbox);
    let closed = tokio::spawn(async move { waiting.closed().await });
    for _ in 0..3 {
        mailbox.push(kick("x"));
    }
    assert!(!closed.is_finished());
    mailbox.push(kick("x"));
    tokio::time::timeout(Duration::from_secs(5), closed)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(mailbox.next().await.unwrap_err(), MailboxClosed);
    mailbox.push(kick("x"));
    assert_eq!(mailbox.try_next().unwrap_err(), MailboxClosed);
    mailbox.closed().await;
}

#[tokio::test]
async fn large_ones_count_by_size() {
    let mailbox = Mailbox::new(MailboxLimits {
        notices: 1000,
        weight: 10_000,
    });
    let large = Arc::new(UserMessage {
        weight: 4_000,
        ..UserMessage::default()
    });
    mailbox.push(Notice::Message(Arc::clone(&large)));
    mailbox.push(Notice::Message(Arc::clone(&large)));
    mailbox.try_next().unwrap().unwrap();
    mailbox.push(Notice::Message(Arc::clone(&large)));
    mailbox.try_next().unwrap().unwrap();
    mailbox.push(Notice::Message(Arc::clone(&large)));
    mailbox.push(Notice::Message(large));
    assert!(mailbox.try_next().is_err());
}
