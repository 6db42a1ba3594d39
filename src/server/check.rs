//! `--check`: whether a server could start, and what it would say of its files.

use crate::config::{Config, inspect_ice_servers, read_settings};
use crate::group::inspect;
use crate::web::Certificate;
use std::fmt;
use std::path::Path;

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<String>,
    errors: usize,
    warnings: usize,
    groups: usize,
}

impl Report {
    /// Looks at the configuration, the certificate and all group files; changes nothing. Blocks.
    pub fn of(config: &Config) -> Self {
        let mut report = Self::default();
        let data = |name: &str| config.data_folder.join(name);
        let path = data("config.json");
        match read_settings(&path) {
            Ok((_, warnings)) => report.warn_all(&path, warnings),
            Err(error) => report.error(&error),
        }
        let path = data("ice-servers.json");
        match inspect_ice_servers(&path) {
            Ok(warnings) => report.warn_all(&path, warnings),
            Err(error) => report.error(&error),
        }
        if !config.insecure
            && let Err(error) = Certificate::inspect(&config.data_folder)
        {
            report.error(&error);
        }
        if let Some(folder) = config.static_folder.as_ref().filter(|path| !path.is_dir()) {
            report.error(&format!("{}: there is no such folder", folder.display()));
        }
        report.look_at_groups(&config.groups_folder);
        report
    }

    /// A server could not start, or would refuse a group.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    fn look_at_groups(&mut self, folder: &Path) {
        if let Err(error) = std::fs::read_dir(folder) {
            self.error(&format!("{}: {error}", folder.display()));
            return;
        }
        for file in inspect(folder) {
            self.groups += 1;
            match file.result {
                Ok(remarks) => {
                    for remark in remarks {
                        if remark.is_upgrade {
                            let path = file.path.display();
                            self.lines.push(format!("note: {path}, {remark}"));
                        } else {
                            self.warn(&file.path, &remark);
                        }
                    }
                }
                Err(refused) => {
                    let line = refused.line.map(|line| format!(", line {line}"));
                    let line = line.unwrap_or_default();
                    self.error(&format!(
                        "{}{line}: {}",
                        file.path.display(),
                        refused.reason
                    ));
                }
            }
        }
    }

    fn error(&mut self, error: &dyn fmt::Display) {
        self.errors += 1;
        self.lines.push(format!("error: {error}"));
    }

    fn warn(&mut self, path: &Path, warning: &dyn fmt::Display) {
        self.warnings += 1;
        self.lines
            .push(format!("warning: {}, {warning}", path.display()));
    }

    fn warn_all(&mut self, path: &Path, warnings: Vec<String>) {
        for warning in warnings {
            self.warn(path, &warning);
        }
    }
}

impl fmt::Display for Report {
    /// A line for each finding, and one that counts them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        writeln!(
            f,
            "Group files: {}. Errors: {}. Warnings: {}.",
            self.groups, self.errors, self.warnings
        )
    }
}
