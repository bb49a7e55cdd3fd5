//! Request bytes by hand, so that tests do not check an encoder with its own decoder.

/// Bytes that are put together field by field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    /// A request's header.
    pub(crate) fn request(xid: i32, op: i32) -> Self {
        Self::default().int(xid).int(op)
    }

    pub(crate) fn int(mut self, value: i32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn long(mut self, value: i64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn boolean(mut self, value: bool) -> Self {
        self.0.push(value.into());
        self
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.buffer(text.as_bytes())
    }

    pub(crate) fn buffer(self, bytes: &[u8]) -> Self {
        let mut more = self.int(i32::try_from(bytes.len()).unwrap());
        more.0.extend_from_slice(bytes);
        more
    }

    /// A null string, buffer or vector.
    pub(crate) fn null(self) -> Self {
        self.int(-1)
    }

    /// A text, or null.
    pub(crate) fn maybe(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    /// The ACL `world:anyone` with all permissions.
    pub(crate) fn open_acl(self) -> Self {
        self.int(1).int(31).text("world").text("anyone")
    }

    /// The body of a create of one byte of data.
    pub(crate) fn create(self, path: Option<&str>, flags: i32) -> Self {
        self.maybe(path).buffer(b"x").open_acl().int(flags)
    }

    /// The header of an element of a multi.
    pub(crate) fn element(self, op: i32) -> Self {
        self.int(op).boolean(false).int(-1)
    }

    /// The end of a multi.
    pub(crate) fn end(self) -> Self {
        self.int(-1).boolean(true).int(-1)
    }
}

/// Bytes in hex, a space between the frame's length, the reply header's fields and the body.
pub(crate) fn reply_hex(frame: &[u8]) -> String {
    let hex: Vec<String> = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    [0..4, 4..8, 8..16, 16..20, 20..frame.len()].map(|part| hex[part].concat()).join(" ")
}
