//! JSON, RFC 8259: strings, and objects that are written field by field.

use std::fmt::Write as _;

use crate::error::is_obeyed;

/// An object that is being written.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    out: &'a mut String,
    /// What the next field is preceded by.
    separator: char,
}

impl<'a> Object<'a> {
    pub(crate) fn new(out: &'a mut String) -> Self {
        Self { out, separator: '{' }
    }

    /// A string, or null.
    pub(crate) fn text(mut self, name: &str, value: Option<&str>) -> Self {
        self.name(name);
        match value {
            Some(value) => string(self.out, value),
            None => self.out.push_str("null"),
        }
        self
    }

    /// A number, or null.
    pub(crate) fn number(mut self, name: &str, value: Option<u64>) -> Self {
        self.name(name);
        match value {
            Some(value) => {
                // Writing to a String does not fail.
                let _ = write!(self.out, "{value}");
            }
            None => self.out.push_str("null"),
        }
        self
    }

    /// A number, or nothing.
    pub(crate) fn known(self, name: &str, value: Option<u64>) -> Self {
        match value {
            Some(_) => self.number(name, value),
            None => self,
        }
    }

    pub(crate) fn end(self) {
        self.out.push('}');
    }

    fn name(&mut self, name: &str) {
        self.out.push(std::mem::replace(&mut self.separator, ','));
        string(self.out, name);
        self.out.push(':');
    }
}

/// Section 7: quotes, backslashes and control characters are escaped. So is what a terminal obeys besides,
/// of which nothing is beyond four digits.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_obeyed(c) => {
                // Writing to a String does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_written_field_by_field() {
        let mut out = String::new();
        Object::new(&mut out)
            .text("host", Some("a\"b\\c"))
            .text("none", None)
            .number("port", Some(80))
            .number("rtt", None)
            .end();
        assert_eq!(out, r#"{"host":"a\"b\\c","none":null,"port":80,"rtt":null}"#);
    }

    #[test]
    fn no_control_character_gets_through() {
        let mut out = String::new();
        string(&mut out, "\r\n\t\u{0}\u{1b}\u{7f}\u{9b}\u{61c}\u{202e}é\u{fffd}");
        assert_eq!(out, "\"\\r\\n\\t\\u0000\\u001b\\u007f\\u009b\\u061c\\u202eé\u{fffd}\"");
    }
}
