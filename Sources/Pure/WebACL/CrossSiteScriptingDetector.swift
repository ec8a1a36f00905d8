// Whether a text would run as a script when a page shows it: read as HTML from the places where pages put what they
// are given (between tags, inside of an attribute's value, inside of a script's string).

/// Finds cross-site scripting. For one thread.
public struct CrossSiteScriptingDetector {
  public init() {}

  public func isAttack(_ text: ByteView) -> Bool { find(text) != nil }

  /// The pieces that make a text an attack; none when it is none. At most three.
  func pieces(_ text: ByteView) -> [Range<Int>] {
    guard let finding = find(text) else { return [] }
    return [finding.first, finding.second, finding.third].compactMap { $0 }.filter { !$0.isEmpty }
  }

  /// What was found, by places; made without allocating.
  private struct Finding {
    var first: Range<Int>
    var second: Range<Int>?
    var third: Range<Int>?
  }

  private func find(_ text: ByteView) -> Finding? {
    guard text.count > 3 else { return nil }
    if let tag = badTag(text) { return tag }
    if isScriptAddress(text, 0, text.count) {
      return Finding(first: 0..<((text.firstIndex(of: 0x3A) ?? text.count - 1) + 1))
    }
    for quote in [UInt8(0x22), 0x27, 0x60] {
      guard let place = text.firstIndex(of: quote) else { continue }
      if let attribute = badAttribute(text, from: place + 1, needsKnownEvent: false) { return attribute }
      if let script = brokenScript(text, place, quote) { return script }
    }
    // An attribute without quotes ends at the first space.
    if let place = text.firstIndex(where: { isSpace($0) || $0 == 0x2F }),
      let attribute = badAttribute(text, from: place + 1, needsKnownEvent: true)
    {
      return attribute
    }
    return badAttribute(text, from: 0, needsKnownEvent: true)
  }

  func isAttack(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { isAttack($0) }
  }

  // MARK: - Tags

  private static let badTags: Set<String> = [
    "script", "iframe", "object", "embed", "applet", "meta", "base", "frame", "frameset", "layer", "ilayer", "bgsound",
    "isindex", "xss", "svg", "math", "style", "link", "xml", "import", "noscript", "portal", "animate", "handler",
    "listener", "vmlframe", "param", "template", "foreignobject",
  ]

  private func badTag(_ text: ByteView) -> Finding? {
    var index = 0
    // Where a scan of attributes has been it need not go again: the next tag may begin inside of this one.
    var seen: [Bool] = []
    while let open = text[index...].firstIndex(of: 0x3C) {
      index = open + 1
      while index < text.count, text[index] == 0 { index += 1 }
      guard index < text.count else { return nil }
      if text[index] == 0x21 || text[index] == 0x3F {
        guard isBadDeclaration(text, index) else { continue }
        var end = index + 1
        while end < text.count, !isSpace(text[end]), text[end] != 0x3E { end += 1 }
        return Finding(first: open..<index + 1, second: index + 1..<end)
      }
      let isEnd = text[index] == 0x2F
      if isEnd { index += 1 }
      guard index < text.count, isLetter(text[index]) else { continue }
      let start = index
      while index < text.count,
        isWordByte(text[index]) || text[index] == 0x2D || text[index] == 0x3A || text[index] == 0
      {
        index += 1
      }
      var name = String(decoding: text[start..<index].filter { $0 != 0 }.map(lowercased), as: UTF8.self)
      if let colon = name.lastIndex(of: ":") { name = String(name[name.index(after: colon)...]) }
      if Self.badTags.contains(name) { return Finding(first: open..<start, second: start..<index) }
      if isEnd { continue }
      if seen.isEmpty { seen = Array(repeating: false, count: text.count + 1) }
      if let attribute = badAttribute(text, from: index, isInTag: true, needsKnownEvent: false, &seen) {
        return attribute
      }
    }
    return nil
  }

  /// What old browsers ran: conditional comments, entities, stylesheets of XML.
  private func isBadDeclaration(_ text: ByteView, _ start: Int) -> Bool {
    if text.hasText("!entity", at: start) || text.hasText("?import", at: start) || text.hasText("?xml-style", at: start)
    {
      return true
    }
    return text.hasText("!--[if", at: start)
  }

  // MARK: - Attributes

  private static let addressAttributes: Set<String> = [
    "href", "src", "action", "formaction", "data", "background", "poster", "xlink:href", "lowsrc", "dynsrc", "from",
    "to",
    "values", "by", "content", "srcdoc", "code", "codebase", "ping", "manifest",
  ]

  /// Events with three letters and more that pages know; outside of a tag only these are believed.
  private static let events: Set<String> = [
    "onabort", "onactivate", "onafterprint", "onafterscriptexecute", "onanimationcancel", "onanimationend",
    "onanimationiteration",
    "onanimationstart", "onauxclick", "onbeforecopy", "onbeforecut", "onbeforeinput", "onbeforepaste", "onbeforeprint",
    "onbeforescriptexecute", "onbeforeunload", "onbegin", "onblur", "onbounce", "oncanplay", "oncanplaythrough",
    "onchange",
    "onclick", "onclose", "oncontextmenu", "oncopy", "oncuechange", "oncut", "ondblclick", "ondrag", "ondragend",
    "ondragenter", "ondragleave", "ondragover", "ondragstart", "ondrop", "ondurationchange", "onend", "onended",
    "onerror",
    "onfinish", "onfocus", "onfocusin", "onfocusout", "onfullscreenchange", "onhashchange", "oninput", "oninvalid",
    "onkeydown", "onkeypress", "onkeyup", "onload", "onloadeddata", "onloadedmetadata", "onloadend", "onloadstart",
    "onmessage", "onmousedown", "onmouseenter", "onmouseleave", "onmousemove", "onmouseout", "onmouseover", "onmouseup",
    "onmousewheel", "onpagehide", "onpageshow", "onpaste", "onpause", "onplay", "onplaying", "onpointercancel",
    "onpointerdown", "onpointerenter", "onpointerleave", "onpointermove", "onpointerout", "onpointerover",
    "onpointerup",
    "onpopstate", "onprogress", "onpropertychange", "onratechange", "onreadystatechange", "onrepeat", "onreset",
    "onresize",
    "onscroll", "onscrollend", "onsearch", "onseeked", "onseeking", "onselect", "onselectionchange", "onselectstart",
    "onshow",
    "onstart", "onstorage", "onsubmit", "onsuspend", "ontimeupdate", "ontoggle", "ontouchcancel", "ontouchend",
    "ontouchmove",
    "ontouchstart", "ontransitioncancel", "ontransitionend", "ontransitionrun", "ontransitionstart",
    "onunhandledrejection",
    "onunload", "onvolumechange", "onwaiting", "onwebkitanimationend", "onwheel",
  ]

  private func badAttribute(_ text: ByteView, from start: Int, needsKnownEvent: Bool) -> Finding? {
    var seen = [Bool](repeating: false, count: text.count + 1)
    return badAttribute(text, from: start, isInTag: false, needsKnownEvent: needsKnownEvent, &seen)
  }

  /// - Parameter needsKnownEvent: only events that exist count, and only with something like a script behind them.
  private func badAttribute(
    _ text: ByteView, from start: Int, isInTag: Bool, needsKnownEvent: Bool, _ seen: inout [Bool]
  ) -> Finding? {
    var index = start
    while index < text.count {
      while index < text.count, isSpace(text[index]) || text[index] == 0x2F || text[index] == 0 { index += 1 }
      guard index < text.count, text[index] != 0x3E, !seen[index] else { return nil }
      seen[index] = true
      let nameStart = index
      while index < text.count, !isSpace(text[index]),
        ![0x3C, 0x3D, 0x3E, 0x2F].contains(text[index]) || index == nameStart
      {
        index += 1
      }
      let nameEnd = index
      let name = String(
        decoding: text[nameStart..<min(index, nameStart + 48)].filter { $0 != 0 }.map(lowercased), as: UTF8.self)
      while index < text.count, isSpace(text[index]) { index += 1 }
      guard index < text.count, text[index] == 0x3D else { continue }
      let equals = index
      index += 1
      while index < text.count, isSpace(text[index]) { index += 1 }
      let valueStart = index
      var valueEnd = index
      if index < text.count, [0x22, 0x27, 0x60].contains(text[index]) {
        let quote = text[index]
        index += 1
        while index < text.count, text[index] != quote { index += 1 }
        valueEnd = index
        index = min(index + 1, text.count)
      } else {
        while index < text.count, !isSpace(text[index]), text[index] != 0x3E, text[index] != 0x3C { index += 1 }
        valueEnd = index
      }
      let inner = valueStart < valueEnd && [0x22, 0x27, 0x60].contains(text[valueStart]) ? valueStart + 1 : valueStart
      if isBad(name, text, inner, valueEnd, isInTag, needsKnownEvent) {
        return Finding(first: nameStart..<nameEnd, second: equals..<equals + 1, third: inner..<max(inner, valueEnd))
      }
    }
    return nil
  }

  private func isBad(
    _ name: String, _ text: ByteView, _ start: Int, _ end: Int, _ isInTag: Bool, _ needsKnownEvent: Bool
  ) -> Bool {
    if name.hasPrefix("on") {
      if Self.events.contains(name) {
        if !needsKnownEvent { return true }
        return text[start..<end].contains { [0x28, 0x60, 0x3B, 0x3D].contains($0) }
      }
      return isInTag && name.utf8.count >= 5 && name.utf8.allSatisfy(isLetter)
    }
    if needsKnownEvent { return false }
    if Self.addressAttributes.contains(name) {
      if name == "srcdoc", isInTag { return true }
      return isScriptAddress(text, start, end)
    }
    if name == "style" { return hasBadStyle(text, start, end) }
    return name == "xmlns" && isInTag
  }

  private func hasBadStyle(_ text: ByteView, _ start: Int, _ end: Int) -> Bool {
    let style = Self.plain(text, start, end)
    return ["expression(", "javascript:", "vbscript:", "behavior:", "behaviour:", "-moz-binding", "@import"].contains {
      style.contains($0)
    }
  }

  /// Whether an address runs a script when it is opened.
  private func isScriptAddress(_ text: ByteView, _ start: Int, _ end: Int) -> Bool {
    let address = Self.plain(text, start, min(end, start + 256))
    for scheme in ["javascript:", "vbscript:", "livescript:", "mocha:", "view-source:javascript"]
    where address.hasPrefix(scheme) {
      return true
    }
    guard address.hasPrefix("data:") else { return false }
    return ["data:text/html", "data:image/svg", "data:text/xml", "data:application/x", "data:,<"].contains {
      address.hasPrefix($0)
    }
  }

  /// A value as a browser reads it: entities decoded, without white space and control characters, small letters.
  private static func plain(_ text: ByteView, _ start: Int, _ end: Int) -> String {
    var bytes: [UInt8] = []
    var index = start
    while index < end {
      var byte = text[index]
      if byte == 0x26, let (value, length) = Transformer.entity(text, index) {
        byte = value < 0x80 ? UInt8(value) : 0x3F
        index += length
      } else if byte == 0x2F, index + 1 < end, text[index + 1] == 0x2A {
        // Comments in styles.
        index += 2
        while index < end, !(text[index] == 0x2A && index + 1 < end && text[index + 1] == 0x2F) { index += 1 }
        index += 2
        continue
      } else {
        index += 1
      }
      if byte > 0x20, byte != 0x7F { bytes.append(lowercased(byte)) }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  // MARK: - Scripts

  private static let calls: [StaticString] = [
    "alert(", "confirm(", "prompt(", "eval(", "document.", "window.", "string.fromcharcode", "settimeout(",
    "setinterval(",
    "fetch(", "import(", "location=", "location.", "alert`", "constructor(", "xmlhttprequest", "self[", "top[",
    "window[",
  ]

  /// Whether a string of a script ends here and something is called behind it.
  private func brokenScript(_ text: ByteView, _ place: Int, _ quote: UInt8) -> Finding? {
    var index = place + 1
    while index < text.count, isSpace(text[index]) || text[index] == 0x29 || text[index] == 0x7D { index += 1 }
    guard index < text.count, [0x3B, 0x2B, 0x2D, 0x2C, 0x7C, 0x26, 0x2A, 0x5E, 0x3F].contains(text[index]) else {
      return nil
    }
    for position in index..<text.count {
      for call in Self.calls where text.hasText(call, at: position) {
        return Finding(
          first: place..<place + 1, second: index..<index + 1, third: position..<position + call.utf8CodeUnitCount)
      }
    }
    return nil
  }
}
