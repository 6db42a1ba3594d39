//! `chat`, `chathistory` and `usermessage`.

use crate::harness::{Server, without_time};
use serde_json::{Value, json};

#[tokio::test]
async fn to_everyone() {
    let server = Server::start(&[]).await;
    let mut alice = server.join("1", "alice").await;
    let mut op = server.join("2", "op").await;
    alice.settle().await;
    alice
        .send(
            json!({"type": "chat", "kind": "me", "value": "waves", "source": "1",
                     "username": "alice", "privileged": true, "time": "1999-01-01T00:00:00Z"}),
        )
        .await;
    let mut echo = without_time(alice.next().await);
    let id = echo.as_object_mut().unwrap().remove("id").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 11);
    assert_eq!(
        echo,
        json!({"type": "chat", "kind": "me", "source": "1", "username": "alice",
               "value": "waves"}),
        "neither the privilege nor the time is the client's to give"
    );
    assert_eq!(op.next().await["id"], id);

    op.send(json!({"type": "chat", "id": "mine", "noecho": true, "value": {"any": ["thing"]}}))
        .await;
    assert_eq!(op.settle().await, [json!(null); 0]);
    assert_eq!(
        without_time(alice.next().await),
        json!({"type": "chat", "id": "mine", "source": "2", "username": "op",
               "privileged": true, "noecho": true, "value": {"any": ["thing"]}}),
        "source and username are filled in, or it would look like the server's"
    );
}

#[tokio::test]
async fn to_one() {
    let server = Server::start(&[]).await;
    let mut alice = server.join("1", "alice").await;
    let mut bob = server.join("2", "bob").await;
    let mut carol = server.join("3", "carol").await;
    for client in [&mut alice, &mut bob] {
        client.settle().await;
    }
    alice
        .send(json!({"type": "chat", "dest": "2", "value": "psst"}))
        .await;
    assert_eq!(alice.settle().await, [json!(null); 0], "no echo");
    assert_eq!(
        without_time(bob.next().await),
        json!({"type": "chat", "source": "1", "username": "alice", "dest": "2", "value": "psst"})
    );
    assert_eq!(carol.settle().await, [json!(null); 0]);
    let nobody = json!({"type": "chat", "dest": "none", "value": "x"});
    assert_eq!(alice.refused(nobody).await, "user unknown");
    let nobody = json!({"type": "usermessage", "kind": "x", "dest": "none", "value": "x"});
    assert_eq!(alice.refused(nobody).await, "user unknown");
    // It is not in the history.
    let mut late = server.greet("4").await;
    late.join("g", "late", "").await;
    assert!(
        late.settle()
            .await
            .iter()
            .all(|message| message["type"] == "user")
    );
}

#[tokio::test]
async fn what_permissions_allow() {
    let file = r#"{"users": {
        "mute": {"password": "mute", "permissions": "observe"},
        "caption": {"password": "caption", "permissions": "caption"},
        "talk": {"password": "talk", "permissions": "message"}}}"#;
    let server = Server::start(&[("p.json", file)]).await;
    let mut clients = Vec::new();
    for name in ["mute", "caption", "talk"] {
        let mut client = server.greet(name).await;
        assert_eq!(client.join("p", name, name).await["kind"], "join");
        clients.push(client);
    }
    for client in &mut clients {
        client.settle().await;
    }
    let chat = json!({"type": "chat", "value": "x"});
    let caption = json!({"type": "chat", "kind": "caption", "value": "x"});
    let message = json!({"type": "usermessage", "kind": "mute", "value": "x"});
    let [mute, captioner, talk] = &mut clients[..] else {
        unreachable!()
    };
    for refused in [&chat, &caption, &message] {
        assert_eq!(mute.refused(refused.clone()).await, "not authorised");
    }
    assert_eq!(captioner.refused(chat.clone()).await, "not authorised");
    assert_eq!(captioner.refused(message.clone()).await, "not authorised");
    assert_eq!(talk.refused(caption.clone()).await, "not authorised");
    captioner.send(caption).await;
    assert_eq!(captioner.next().await["kind"], "caption");
    assert_eq!(talk.next().await["kind"], "caption");
    talk.send(chat).await;
    assert_eq!(talk.next().await["type"], "chat");
    assert_eq!(
        mute.settle().await.len(),
        2,
        "those who may say nothing still hear"
    );
}

#[tokio::test]
async fn nothing_before_joining() {
    let server = Server::start(&[]).await;
    let mut client = server.greet("1").await;
    for kind in ["chat", "usermessage", "useraction", "groupaction"] {
        let message = json!({"type": kind, "kind": "lock", "value": "x"});
        assert_eq!(client.refused(message).await, "join a group first");
    }
}

#[tokio::test]
async fn user_messages() {
    let server = Server::start(&[]).await;
    let mut alice = server.join("1", "alice").await;
    let mut op = server.join("2", "op").await;
    alice.settle().await;
    op.send(json!({"type": "usermessage", "kind": "mute", "dest": "1", "value": null}))
        .await;
    assert_eq!(
        without_time(alice.next().await),
        json!({"type": "usermessage", "kind": "mute", "source": "2", "username": "op",
               "dest": "1", "privileged": true})
    );
    let transfer = json!({"type": "invite", "version": ["1"], "id": "x", "size": 3});
    alice
        .send(json!({"type": "usermessage", "kind": "filetransfer", "value": transfer}))
        .await;
    for client in [&mut alice, &mut op] {
        assert_eq!(
            without_time(client.next().await),
            json!({"type": "usermessage", "kind": "filetransfer", "source": "1",
                   "username": "alice", "value": transfer})
        );
    }
    let mut late = server.greet("3").await;
    late.join("g", "late", "").await;
    assert!(
        late.settle()
            .await
            .iter()
            .all(|message| message["type"] == "user")
    );
}

#[tokio::test]
async fn history() {
    let server = Server::start(&[]).await;
    let mut op = server.join("1", "op").await;
    for n in 0..60 {
        op.say(&n.to_string()).await;
    }
    op.send(json!({"type": "chat", "kind": "caption", "noecho": true, "value": "cap"}))
        .await;
    op.settle().await;
    let history = async |id: &str| {
        let mut late = server.greet(id).await;
        late.join("g", "late", "").await;
        let told = late.settle().await;
        let user = told
            .iter()
            .position(|message| message["type"] == "user")
            .unwrap();
        assert!(
            told[user..].iter().all(|message| message["type"] == "user"),
            "it comes first"
        );
        told[..user].to_vec()
    };
    let all = history("2").await;
    assert_eq!(all.len(), 50);
    assert_eq!(
        (&all[0]["value"], &all[48]["value"]),
        (&json!("11"), &json!("59"))
    );
    assert_eq!(
        (&all[49]["value"], &all[49]["kind"]),
        (&json!("cap"), &json!("caption"))
    );
    assert!(all.iter().all(|message| message["type"] == "chathistory"
        && message.get("privileged").is_none()
        && message["source"] == "1"));

    op.settle().await;
    let one = json!({"id": all[0]["id"], "userId": "1"});
    op.act_on_group("clearchat", one.clone()).await;
    assert_eq!(
        op.next().await,
        json!({"type": "usermessage", "kind": "clearchat", "privileged": true, "value": one})
    );
    assert_eq!(history("3").await.len(), 49);
    op.settle().await;
    for bad in [
        json!("x"),
        json!(3),
        json!({"id": "x"}),
        json!({"userId": 3}),
        json!([]),
    ] {
        let message = op.group_action("clearchat", &bad);
        assert_eq!(op.refused(message).await, "bad value in clearchat");
    }
    op.act_on_group("clearchat", json!({"userId": "2"})).await;
    op.settle().await;
    assert_eq!(history("4").await.len(), 49, "those of another");
    op.act_on_group("clearchat", json!({})).await;
    op.settle().await;
    assert_eq!(history("5").await, [Value::Null; 0]);

    let mut user = server.join("6", "user").await;
    let message = user.group_action("clearchat", &Value::Null);
    assert_eq!(user.refused(message).await, "not authorised");
}

#[tokio::test]
async fn old_history_is_forgotten() {
    let file = r#"{"max-history-age": 1,
        "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#;
    let server = Server::start(&[("h.json", file)]).await;
    let mut client = server.greet("1").await;
    client.join("h", "x", "").await;
    client.say("gone soon").await;
    client.settle().await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let mut late = server.greet("2").await;
    late.join("h", "late", "").await;
    assert!(
        late.settle()
            .await
            .iter()
            .all(|message| message["type"] == "user")
    );
}
