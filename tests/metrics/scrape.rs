//! What a scraper gets, read.

use reqwest::Client;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Answers to one request.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub(crate) text: String,
    /// By name and labels, as they stand there.
    samples: BTreeMap<String, f64>,
}

/// The type of a family, and the labels of its samples.
pub(crate) type Families = BTreeMap<String, (String, BTreeSet<String>)>;

/// Asks as a program on this machine.
pub(crate) async fn scrape(server: SocketAddr) -> Scrape {
    let url = format!("http://{server}/metrics");
    let response = client().get(url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    Scrape::read(response.text().await.unwrap())
}

pub(crate) fn client() -> Client {
    // The server in this process has perhaps chosen already, and the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::new()
}

impl Scrape {
    fn read(text: String) -> Self {
        let mut samples = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let known = samples.insert(name.to_owned(), value.parse().unwrap());
            assert_eq!(known, None, "{name} is there twice");
        }
        Self { text, samples }
    }

    /// A sample, by name and labels.
    pub(crate) fn get(&self, name: &str) -> f64 {
        let value = self.samples.get(name);
        *value.unwrap_or_else(|| panic!("no {name} in\n{}", self.text))
    }

    /// All samples of a name together.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let of = |sample: &&String| sample.split('{').next() == Some(name);
        let found: Vec<&f64> = self
            .samples
            .iter()
            .filter(|(one, _)| of(one))
            .map(|(_, n)| n)
            .collect();
        assert!(!found.is_empty(), "no {name} in\n{}", self.text);
        found.into_iter().sum()
    }

    /// What is announced by `# TYPE`.
    pub(crate) fn families(&self) -> Families {
        let mut families = Families::new();
        for line in self.text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                let new = families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
                assert!(new.is_none(), "{name} is announced twice");
            }
        }
        for sample in self.samples.keys() {
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end));
            let base = base
                .filter(|base| families.contains_key(*base))
                .unwrap_or(name);
            let family = families
                .get_mut(base)
                .unwrap_or_else(|| panic!("{sample} has no type"));
            let labels = labels.trim_end_matches('}').split(',');
            let names = labels.filter_map(|label| label.split('=').next());
            let names = names.filter(|name| !name.is_empty() && *name != "le");
            family.1.extend(names.map(str::to_owned));
        }
        families
    }

    /// No counter was higher before.
    pub(crate) fn assert_grown_since(&self, before: &Self) {
        let families = self.families();
        for (sample, value) in &before.samples {
            let name = sample.split('{').next().unwrap_or_default();
            let counts = families.get(name).is_none_or(|(kind, _)| kind == "counter");
            if counts {
                assert!(self.get(sample) >= *value, "{sample} fell from {value}");
            }
        }
    }
}
