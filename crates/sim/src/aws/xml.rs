//! The little XML that STS, EC2 and S3 speak.

use std::fmt::Write as _;

use quick_xml::escape::escape;

/// Writes elements one after the other; the caller closes what it opens.
pub(crate) struct Writer(String);

impl Writer {
    /// An empty document.
    pub(crate) fn new() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned())
    }

    /// Opens an element.
    pub(crate) fn open(&mut self, name: &str) -> &mut Self {
        self.raw(format_args!("<{name}>"))
    }

    /// Opens an element with a namespace.
    pub(crate) fn open_with(&mut self, name: &str, namespace: &str) -> &mut Self {
        self.raw(format_args!("<{name} xmlns=\"{namespace}\">"))
    }

    /// Closes an element.
    pub(crate) fn close(&mut self, name: &str) -> &mut Self {
        self.raw(format_args!("</{name}>"))
    }

    /// An element that holds text.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        let text = escape(text);
        self.raw(format_args!("<{name}>{text}</{name}>"))
    }

    /// The document.
    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn raw(&mut self, text: std::fmt::Arguments<'_>) -> &mut Self {
        self.0.write_fmt(text).expect("writing to a string cannot fail");
        self
    }
}
