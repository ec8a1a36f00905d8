// Reads the text form of a service model. The text is generated and compiled in, so a fault in it is a programmer's
// error and traps; nothing from outside comes here.
//
// The largest models have several thousand lines and are read while a first caller waits, also by programs built without
// optimisation. So this works on bytes and makes strings only of what is kept.

import AWSCore

enum ModelReader {
  /// Bytes of the model's text, which lives as long as the program.
  private struct Word: Hashable {
    var start: UnsafePointer<UInt8>
    var count: Int

    var string: String { String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self) }

    func dropFirst(_ n: Int) -> Word { Word(start: start + n, count: count - n) }

    func equals(_ text: StaticString) -> Bool {
      guard count == text.utf8CodeUnitCount else { return false }
      return hasPrefix(text)
    }

    func hasPrefix(_ text: StaticString) -> Bool {
      let length = text.utf8CodeUnitCount
      guard count >= length else { return false }
      let other = text.utf8Start
      var i = 0
      while i < length {
        if start[i] != other[i] { return false }
        i += 1
      }
      return true
    }

    func parts(_ separator: UInt8) -> [Word] {
      var parts: [Word] = []
      var from = 0
      var at = 0
      while at <= count {
        if at == count || start[at] == separator {
          if at > from { parts.append(Word(start: start + from, count: at - from)) }
          from = at + 1
        }
        at += 1
      }
      return parts
    }

    /// `%20` stands for a space, which divides words.
    var unescaped: String {
      var at = 0
      while at < count, start[at] != UInt8(ascii: "%") { at += 1 }
      return at == count ? string : string.replacing("%20", with: " ")
    }
  }

  /// One declaration: words divided by single spaces; `pat=` takes the rest of the line.
  private struct Line {
    var words: [Word] = []
    var pattern: String?

    init(_ line: Word) {
      words.reserveCapacity(8)
      var from = 0
      var at = 0
      while at <= line.count {
        if at == line.count || line.start[at] == 32 {
          let word = Word(start: line.start + from, count: at - from)
          if word.hasPrefix("pat=") {
            pattern = line.dropFirst(from + 4).string
            return
          }
          if word.count > 0 { words.append(word) }
          from = at + 1
        }
        at += 1
      }
    }

    func flag(_ name: StaticString) -> Bool {
      var i = 2
      while i < words.count {
        if words[i].equals(name) { return true }
        i += 1
      }
      return false
    }

    /// - Parameter key: with its `=`.
    func word(_ key: StaticString) -> Word? {
      var i = 1
      while i < words.count {
        if words[i].hasPrefix(key) { return words[i].dropFirst(key.utf8CodeUnitCount) }
        i += 1
      }
      return nil
    }

    func value(_ key: StaticString) -> String? { word(key)?.unescaped }
  }

  private static func lines(_ text: StaticString, limit: Int = .max) -> [Word] {
    let whole = Word(start: text.utf8Start, count: text.utf8CodeUnitCount)
    var lines: [Word] = []
    var from = 0
    var at = 0
    while at <= whole.count, lines.count < limit {
      if at == whole.count || whole.start[at] == 10 {
        if at > from { lines.append(Word(start: whole.start + from, count: at - from)) }
        from = at + 1
      }
      at += 1
    }
    return lines
  }

  static func header(_ text: StaticString) -> ServiceModel.Header {
    var header = ServiceModel.Header()
    // Only the first two lines; the rest is read when the service is first called.
    for text in lines(text, limit: 2) {
      let line = Line(text)
      if line.words[0].equals("service") {
        header.name = line.words[1].string
        header.serviceID = line.value("id=") ?? ""
        header.endpointPrefix = line.value("endpoint=") ?? ""
        header.signingName = line.value("signing=") ?? header.endpointPrefix
        header.targetPrefix = line.value("target=") ?? ""
        header.jsonVersion = line.value("json=") ?? "1.1"
        header.protocols = (line.word("protocols=")?.parts(UInt8(ascii: ",")) ?? []).map {
          guard let known = WireProtocol(rawValue: $0.string) else { preconditionFailure("protocol \($0.string)") }
          return known
        }
        header.apiVersion = line.value("version=") ?? ""
        header.xmlNamespace = line.value("ns=") ?? ""
        header.awsQueryCompatible = line.flag("querycompatible")
      } else {
        precondition(line.words[0].equals("known"))
        header.knownOperations.reserveCapacity(line.words.count)
        for word in line.words.dropFirst() { known(word, &header) }
      }
    }
    return header
  }

  /// `Name`, or on REST `Name@METHOD@uri@query,parameters@headers`.
  private static func known(_ word: Word, _ header: inout ServiceModel.Header) {
    // Empty parts count here: an operation may need headers and no parameters.
    let parts = word.string.split(separator: "@", omittingEmptySubsequences: false)
    header.knownOperations.insert(String(parts[0]))
    guard parts.count >= 3 else { return }
    var route = ServiceModel.KnownRoute(name: String(parts[0]), method: String(parts[1]), uri: String(parts[2]))
    if parts.count > 3 { route.requiredQuery = parts[3].split(separator: ",").map(String.init) }
    if parts.count > 4 { route.requiredHeaders = parts[4].split(separator: ",").map(String.init) }
    header.knownRoutes.append(route)
  }

  static func body(_ text: StaticString) -> ([String: OperationModel], [Shape]) {
    let all = lines(text).dropFirst(2).map { Line($0) }
    var index: [String: Int] = [:]
    index.reserveCapacity(all.count / 2)
    for line in all where !line.words[0].equals("op") && !line.words[0].equals("m") {
      index[line.words[1].string] = index.count
    }
    func shape(_ name: Word) -> Int {
      guard let found = index[name.string] else { preconditionFailure("the model names no shape \(name.string)") }
      return found
    }
    var operations: [String: OperationModel] = [:]
    var shapes: [Shape] = []
    shapes.reserveCapacity(index.count)
    var members: [Member] = []
    var open: Shape?
    func close() {
      if var shape = open {
        shape.kind = .structure(members)
        shapes.append(shape)
        open = nil
        members = []
      }
    }
    for line in all {
      let first = line.words[0]
      if first.equals("m") {
        members.append(member(line, shape: shape(line.words[2])))
      } else if first.equals("op") {
        let operation = operation(line, shape: shape)
        operations[operation.name] = operation
      } else if first.equals("struct") {
        close()
        open = structure(line)
      } else {
        close()
        shapes.append(simple(line, shape: shape))
      }
    }
    close()
    return (operations, shapes)
  }

  private static func operation(_ line: Line, shape: (Word) -> Int) -> OperationModel {
    var operation = OperationModel(
      name: line.words[1].string, method: line.words[2].string, uri: line.words[3].string)
    if !line.words[4].equals("-") { operation.input = shape(line.words[4]) }
    if !line.words[5].equals("-") { operation.output = shape(line.words[5]) }
    operation.resultWrapper = line.value("wrapper=")
    operation.status = line.value("status=").flatMap { Int($0) } ?? 200
    operation.errors = line.word("errors=")?.parts(UInt8(ascii: ",")).map(\.string) ?? []
    operation.inputLocationName = line.value("inname=")
    operation.inputNamespace = line.value("inns=")
    return operation
  }

  private static func member(_ line: Line, shape: Int) -> Member {
    let name = line.words[1].string
    var member = Member(name: name, shape: shape, wireName: name)
    var i = 3
    while i < line.words.count {
      let word = line.words[i]
      i += 1
      if word.equals("!") {
        member.isRequired = true
      } else if word.hasPrefix("n=") {
        member.locationName = word.dropFirst(2).unescaped
        member.wireName = member.locationName ?? name
      } else if word.hasPrefix("q=") {
        member.queryName = word.dropFirst(2).string
      } else if word.hasPrefix("l=") {
        member.location = Member.Location(rawValue: word.dropFirst(2).string) ?? .body
      } else if word.hasPrefix("ts=") {
        member.timestampFormat = TimestampFormat(rawValue: word.dropFirst(3).string)
      } else if word.hasPrefix("ns=") {
        member.xmlNamespace = word.dropFirst(3).string
      } else if word.equals("flat") {
        member.isFlattened = true
      } else if word.equals("attr") {
        member.isAttribute = true
      } else if word.equals("stream") {
        member.isStreaming = true
      } else if word.equals("token") {
        member.isIdempotencyToken = true
      }
    }
    return member
  }

  private static func structure(_ line: Line) -> Shape {
    var shape = Shape(name: line.words[1].string, kind: .structure([]))
    guard line.words.count > 2 else { return shape }
    shape.payload = line.value("payload=")
    shape.isSensitive = line.flag("sensitive")
    shape.isUnion = line.flag("union")
    shape.xmlNamespace = line.value("ns=")
    if let code = line.value("code=") {
      shape.error = .init(
        code: code, status: line.value("status=").flatMap { Int($0) } ?? 400, isServerFault: line.flag("fault"),
        messageName: line.value("msg="))
    }
    return shape
  }

  private static func simple(_ line: Line, shape: (Word) -> Int) -> Shape {
    let first = line.words[0]
    let kind: Shape.Kind
    var options = 2
    if first.equals("str") {
      kind = .string
    } else if first.equals("list") {
      kind = .list(element: shape(line.words[2]))
      options = 3
    } else if first.equals("map") {
      kind = .map(key: shape(line.words[2]), value: shape(line.words[3]))
      options = 4
    } else if first.equals("int") {
      kind = .integer
    } else if first.equals("dbl") {
      kind = .double
    } else if first.equals("bool") {
      kind = .boolean
    } else if first.equals("blob") {
      kind = .blob
    } else if first.equals("ts") {
      kind = .timestamp
    } else {
      preconditionFailure("declaration \(first.string)")
    }
    var result = Shape(name: line.words[1].string, kind: kind)
    result.pattern = line.pattern
    while options < line.words.count {
      let word = line.words[options]
      options += 1
      if word.hasPrefix("min=") {
        result.minimum = Double(word.dropFirst(4).string)
      } else if word.hasPrefix("max=") {
        result.maximum = Double(word.dropFirst(4).string)
      } else if word.hasPrefix("enum=") {
        result.allowed = word.dropFirst(5).parts(UInt8(ascii: "|")).map(\.unescaped)
      } else if word.equals("sensitive") {
        result.isSensitive = true
      } else if word.equals("flat") {
        result.isFlattened = true
      } else if word.hasPrefix("n=") || word.hasPrefix("k=") {
        result.elementName = word.dropFirst(2).string
      } else if word.hasPrefix("v=") {
        result.valueName = word.dropFirst(2).string
      } else if word.hasPrefix("ts=") {
        result.timestampFormat = TimestampFormat(rawValue: word.dropFirst(3).string)
      }
    }
    return result
  }
}
