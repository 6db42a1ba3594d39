//! Pages and status of groups, as the web server answers.

use crate::support::{HOST, PATIENCE, Site, get, request, until};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

const OPEN: &str = r#"{"public": true, "displayName": "Open house", "description": "Come in",
    "wildcard-user": {"permissions": "present", "password": {"type": "wildcard"}}}"#;

fn site() -> Site {
    Site::new(&[
        ("groups/open.json", OPEN),
        ("groups/another.json", r#"{"public": true}"#),
        ("groups/closed.json", r#"{"displayName": "Closed doors"}"#),
        (
            "groups/teaching/networks.json",
            r#"{"auto-subgroups": true, "public": true,
            "displayName": "Networks", "description": "Lecture"}"#,
        ),
        ("groups/with space.json", "{}"),
        ("groups/grün.json", "{}"),
        (
            "groups/moved.json",
            r#"{"redirect": "https://elsewhere.test/group/x/?a=b",
            "displayName": "Moved", "description": "Not here", "public": false,
            "max-clients": 3}"#,
        ),
        ("groups/broken.json", "{\n\"public\": 7}"),
        ("groups/.hidden.json", "{}"),
    ])
}

#[tokio::test]
async fn every_path_has_its_status_and_place() {
    let site = site();
    let server = site.serve(&["-insecure"]).await;
    let cases: &[(&str, u16, Option<&str>)] = &[
        ("/group/open/", 200, None),
        ("/group/open/?token=x", 200, None),
        ("/group/open", 308, Some("/group/open/")),
        ("/group/open?token=x&y", 308, Some("/group/open/?token=x&y")),
        ("/group/open/.status", 200, None),
        ("/group/open/.status.json", 308, Some("/group/open/.status")),
        (
            "/group/open/.status.json?x",
            308,
            Some("/group/open/.status?x"),
        ),
        ("/group/open/.nonsense", 404, None),
        ("/group/open/.status/", 404, None),
        ("/group/open/sub/", 404, None),
        ("/group/teaching/networks/", 200, None),
        (
            "/group/teaching/networks",
            308,
            Some("/group/teaching/networks/"),
        ),
        ("/group/teaching%2Fnetworks/", 200, None),
        ("/group/teaching/networks/team1/", 200, None),
        ("/group/teaching/networks/team2/.status", 200, None),
        ("/group/teaching/", 404, None),
        ("/group/with%20space/", 200, None),
        ("/group/with%20space", 308, Some("/group/with%20space/")),
        ("/group/gr%C3%BCn", 308, Some("/group/gr%C3%BCn/")),
        (
            "/group/moved/",
            308,
            Some("https://elsewhere.test/group/x/?a=b"),
        ),
        ("/group/moved/.status", 200, None),
        ("/group/none/", 404, None),
        ("/group/none", 404, None),
        ("/group/none/.status", 404, None),
        ("/group/", 404, None),
        ("/group/.hidden/", 404, None),
        ("/group/.status", 404, None),
        ("/group/broken/", 500, None),
        ("/group/../group/open/", 307, Some("/group/open/")),
        ("/group//open/?a", 307, Some("/group/open/?a")),
        ("/group/./open/", 307, Some("/group/open/")),
        ("/group/%2e%2e/group/open/", 307, Some("/group/open/")),
        (
            "/group/%2e%2e%2f%2e%2e%2fetc/passwd",
            307,
            Some("/etc/passwd"),
        ),
        ("//elsewhere.test/", 307, Some("/elsewhere.test/")),
        ("/group/a%5Cb/", 400, None),
        ("/group/a%00b/", 400, None),
        ("/group/a%FFb/", 400, None),
        ("/recordings", 308, Some("/recordings/")),
        ("/recordings/", 400, None),
        ("/ws", 400, None),
    ];
    for (path, status, location) in cases {
        let answer = get(server.address(), path).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (*status, *location),
            "{path}"
        );
        let head = request(server.address(), "HEAD", path, &[]).await;
        assert_eq!(
            (head.status, head.header("location")),
            (*status, *location),
            "HEAD {path}"
        );
        assert!(head.body.is_empty(), "HEAD {path}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn what_the_status_says() {
    let site = site();
    let server = site.serve(&["-insecure"]).await;
    let cases = [
        (
            "open",
            r#"{"name":"open","location":"http://meet.test:8443/group/open/","endpoint":"ws://meet.test:8443/ws","displayName":"Open house","description":"Come in","clientCount":0}"#,
        ),
        (
            "closed",
            r#"{"name":"closed","location":"http://meet.test:8443/group/closed/","endpoint":"ws://meet.test:8443/ws","displayName":"Closed doors"}"#,
        ),
        (
            "moved",
            r#"{"name":"moved","redirect":"https://elsewhere.test/group/x/?a=b","displayName":"Moved","description":"Not here"}"#,
        ),
        (
            "teaching/networks/team1",
            r#"{"name":"teaching/networks/team1","location":"http://meet.test:8443/group/teaching/networks/team1/","endpoint":"ws://meet.test:8443/ws","displayName":"Networks"}"#,
        ),
    ];
    for (group, expected) in cases {
        let answer = get(server.address(), &format!("/group/{group}/.status")).await;
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{group}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{group}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{group}"
        );
        assert_eq!(answer.text(), format!("{expected}\n"), "{group}");
    }
    let odd = request(
        server.address(),
        "GET",
        "/group/open/.status",
        &[("Host", "a\"b")],
    )
    .await;
    assert_eq!(
        odd.status, 400,
        "a host that is none is not shown to anyone"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn public_groups_are_listed_by_name() {
    let site = site();
    let server = site.serve(&["-insecure"]).await;
    let names = || async {
        let answer = get(server.address(), "/public-groups.json").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert!(answer.text().ends_with("]\n"));
        let groups: Vec<serde_json::Value> = serde_json::from_str(answer.text()).expect("JSON");
        groups
            .iter()
            .map(|group| group["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let listed: Vec<String> = names().await;
    assert_eq!(listed, ["another", "open", "teaching/networks"]);

    site.write("groups/later.json", r#"{"public": true}"#);
    std::fs::remove_file(site.path("groups/another.json")).expect("removing");
    until("the change is listed", || async {
        let listed: Vec<String> = names().await;
        (listed == ["later", "open", "teaching/networks"]).then_some(())
    })
    .await;
    server.shutdown().await;

    let empty = Site::new(&[]);
    let server = empty.serve(&["-insecure"]).await;
    assert_eq!(
        get(server.address(), "/public-groups.json").await.text(),
        "[]\n"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn a_broken_edit_leaves_the_last_good_version_in_force() {
    let site = site();
    let server = site.serve(&["-insecure"]).await;
    let status = || get(server.address(), "/group/open/.status");
    assert!(status().await.text().contains("Open house"));
    site.write("groups/open.json", "{\"displayName\": ");
    site.write(
        "groups/another.json",
        r#"{"public": true, "displayName": "Changed"}"#,
    );
    until("the good edit is seen", || async {
        let other = get(server.address(), "/group/another/.status").await;
        other.text().contains("Changed").then_some(())
    })
    .await;
    assert!(status().await.text().contains("Open house"));
    site.write("groups/open.json", r#"{"displayName": "Mended"}"#);
    until("the mended file is seen", || async {
        status().await.text().contains("Mended").then_some(())
    })
    .await;
    server.shutdown().await;
}

#[tokio::test]
async fn behind_a_proxy_its_url_is_told() {
    let site = site();
    site.write(
        "data/config.json",
        r#"{"proxyURL": "https://proxy.test/meet/"}"#,
    );
    let server = site.serve(&["-insecure"]).await;
    let answer = get(server.address(), "/group/open/.status").await;
    let status: serde_json::Value = serde_json::from_str(answer.text()).expect("JSON");
    assert_eq!(status["location"], "https://proxy.test/meet/group/open/");
    assert_eq!(status["endpoint"], "wss://proxy.test/meet/ws");
    assert!(
        server.greeting().contains("https://proxy.test/meet/\n"),
        "{}",
        server.greeting()
    );
    assert!(
        server
            .greeting()
            .contains("https://proxy.test/meet/group/another/\n")
    );
    server.shutdown().await;
}

#[tokio::test]
async fn browsers_are_sent_to_the_canonical_host() {
    let site = site();
    let server = site.serve(&["-insecure"]).await;
    assert_eq!(get(server.address(), "/").await.status, 200);
    // It comes into force while the server runs.
    site.write("data/config.json", r#"{"canonicalHost": "Canonical.test"}"#);
    until("the change is in force", || async {
        (get(server.address(), "/").await.status == 301).then_some(())
    })
    .await;
    let address = server.address();
    let location = |host: &'static str, path: &'static str| async move {
        let answer = request(address, "GET", path, &[("Host", host)]).await;
        (answer.status, answer.header("location").map(str::to_owned))
    };
    for (path, expected) in [
        ("/", "https://Canonical.test/"),
        (
            "/group/open/?token=x",
            "https://Canonical.test/group/open/?token=x",
        ),
        (
            "/group/with%20space",
            "https://Canonical.test/group/with%20space",
        ),
    ] {
        assert_eq!(
            location(HOST, path).await,
            (301, Some(expected.to_owned())),
            "{path}"
        );
    }
    assert_eq!(
        location("canonical.TEST", "/").await.0,
        200,
        "case does not matter"
    );
    assert_eq!(
        location(HOST, "/public-groups.json").await.0,
        200,
        "programs are left alone"
    );
    assert_eq!(location(HOST, "/ws").await.0, 400);
    // And back.
    site.write("data/config.json", "{}");
    until("the change back is in force", || async {
        (location(HOST, "/").await.0 == 200).then_some(())
    })
    .await;
    server.shutdown().await;
}

#[tokio::test]
async fn the_redirect_flag_names_the_canonical_host() {
    let site = site();
    let server = site.serve(&["-insecure", "-redirect", "flag.test"]).await;
    let answer = get(server.address(), "/x?y").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (301, Some("https://flag.test/x?y"))
    );
    server.shutdown().await;
}

#[tokio::test]
async fn pages_can_only_be_read() {
    let site = site();
    let server = site.serve(&["-insecure"]).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        for path in [
            "/",
            "/group/open/",
            "/group/open/.status",
            "/public-groups.json",
        ] {
            let answer = request(server.address(), method, path, &[("Content-Length", "0")]).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            let allow = answer.header("allow").expect("Allow").replace(' ', "");
            assert_eq!(allow, "GET,HEAD", "{method} {path}");
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn the_example_groups_are_as_their_readme_says() {
    let site = Site::new(&[]);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/groups");
    let server = site.serve(&["-insecure", "-groups", folder]).await;
    let listed = get(server.address(), "/public-groups.json").await;
    assert!(
        listed.text().contains(r#""name":"public""#),
        "{}",
        listed.text()
    );
    assert!(!listed.text().contains("example"), "{}", listed.text());
    assert_eq!(get(server.address(), "/group/example/").await.status, 200);
    server.shutdown().await;

    let read = |name: &str| {
        let json = std::fs::read(format!("{folder}/{name}.json")).expect("a file");
        let (description, remarks) = perikon::group::Description::read(&json).expect("a good file");
        assert_eq!(remarks, [], "{name}");
        description
    };
    let lets_in = |user: Option<&perikon::group::UserDescription>, password: &str| {
        let own = user
            .and_then(|user| user.password.as_ref())
            .expect("a password");
        own.matches(password)
    };
    // The others are closed until someone puts a password in.
    for name in ["lecture", "class", "invited", "old-format"] {
        let path = format!("{folder}/examples/{name}.json");
        let json = std::fs::read(path).expect("a file");
        let (description, remarks) = perikon::group::Description::read(&json).expect("a good file");
        assert!(
            remarks.iter().all(|remark| remark.is_upgrade),
            "{remarks:?}"
        );
        assert_eq!(remarks.is_empty(), name != "old-format", "{remarks:?}");
        let users = description.users.values().chain(&description.wildcard_user);
        for user in users.chain(&description.fallback_users) {
            let password = user.password.as_ref();
            for guess in ["", "change-me", "guest", name] {
                assert!(password.is_none_or(|own| !own.matches(guess)), "{name}");
            }
        }
    }
    let (public, example) = (read("public"), read("example"));
    assert!(lets_in(public.wildcard_user.as_ref(), "anything"));
    assert!(lets_in(example.users.get("operator"), "change-me"));
    assert!(!lets_in(example.users.get("operator"), "guest"));
    assert!(lets_in(example.wildcard_user.as_ref(), "guest"));
}

#[tokio::test]
async fn writable_groups_act_on_those_inside_without_a_restart() {
    let site = site();
    let server = site.serve(&["-insecure"]).await;
    let url = format!("ws://{}/ws", server.address());
    let (mut socket, _) = tokio_tungstenite::connect_async(url)
        .await
        .expect("a socket");
    for message in [
        r#"{"type": "handshake", "version": ["2"], "id": "1"}"#,
        r#"{"type": "join", "kind": "join", "group": "open", "username": "x"}"#,
    ] {
        socket.send(Message::text(message)).await.expect("sent");
    }
    let mut joined = async |kind: &str| loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await;
        let message = message.expect("in time").expect("open").expect("good");
        let message: serde_json::Value =
            serde_json::from_str(message.to_text().expect("text")).expect("JSON");
        if message["type"] == "joined" {
            assert_eq!(message["kind"], kind, "{message}");
            return message["status"]["canChangePassword"] == true;
        }
    };
    assert!(!joined("join").await);
    site.write("data/config.json", r#"{"writableGroups": true}"#);
    assert!(joined("change").await);
    site.write("data/config.json", r#"{"writableGroups": false}"#);
    assert!(!joined("change").await);
    server.shutdown().await;
}
