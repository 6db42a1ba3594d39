use super::{BaseUrl, Status};

#[test]
fn urls_follow_the_host() {
    let base = BaseUrl::new(true, "example.org:8443");
    assert_eq!(
        base.location("a/b c"),
        "https://example.org:8443/group/a/b%20c/"
    );
    assert_eq!(base.endpoint(), "wss://example.org:8443/ws");
    let plain = BaseUrl::new(false, "[::1]:80");
    assert_eq!(plain.location("x"), "http://[::1]:80/group/x/");
    assert_eq!(plain.endpoint(), "ws://[::1]:80/ws");
}

#[test]
fn a_proxy_url_keeps_its_path() {
    let base = BaseUrl::parse("https://example.org/galene/").unwrap();
    assert_eq!(base.location("x"), "https://example.org/galene/group/x/");
    assert_eq!(base.endpoint(), "wss://example.org/galene/ws");
    assert_eq!(
        BaseUrl::parse("HTTP://h").unwrap(),
        BaseUrl::new(false, "h")
    );
    for bad in [
        "",
        "example.org",
        "ftp://x",
        "https://",
        "https:///x",
        "https://a b/",
    ] {
        assert!(BaseUrl::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn empty_fields_are_left_out() {
    let status = Status {
        name: "x".into(),
        ..Status::default()
    };
    assert_eq!(serde_json::to_string(&status).unwrap(), r#"{"name":"x"}"#);
    let status = Status {
        name: "x".into(),
        display_name: "X".into(),
        locked: true,
        client_count: Some(0),
        ..Status::default()
    };
    insta::assert_json_snapshot!(status, @r#"
    {
      "name": "x",
      "displayName": "X",
      "locked": true,
      "clientCount": 0
    }
    "#);
}
