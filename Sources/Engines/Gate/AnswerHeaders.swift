// What a listener's attributes change of the headers of answers.
import GateProtocol
import HTTPWire

/// Header lines that every answer of a listener gets, and the names that they replace.
struct AnswerHeaders {
  /// Whole lines.
  private(set) var lines: [UInt8] = []
  private(set) var sendsServer = true
  /// Names whose lines in targets' answers are dropped, in lower case.
  private var replaced: [[UInt8]] = []

  init() {}

  init(_ modification: GateSnapshot.HeaderModification) {
    sendsServer = modification.sendsServer
    for header in modification.responseHeaders {
      lines += Array("\(header.name): \(header.value)\r\n".utf8)
      replaced.append(header.name.utf8.map(Token.lowercased))
    }
    if !sendsServer { replaced.append(Array("server".utf8)) }
  }

  /// Nothing is changed.
  var isEmpty: Bool { replaced.isEmpty }

  /// Whether a line with this name does not pass.
  func replaces(_ name: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    replaced.contains { wanted in
      wanted.count == length && wanted.indices.allSatisfy { Token.lowercased(name[$0]) == wanted[$0] }
    }
  }
}

extension ListenerRuntime {
  /// Takes over what is changed of headers.
  func update(_ modification: GateSnapshot.HeaderModification) {
    answerHeaders = AnswerHeaders(modification)
    requestHeaderNames = modification.requestHeaderNames
    ownNames = modification.requestHeaderNames.values.map { $0.utf8.map(Token.lowercased) }
  }

  /// Whether a client's header line has a name that the load balancer gives to one of its own.
  func isOwnName(_ name: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    ownNames.contains { own in
      own.count == length && own.indices.allSatisfy { Token.lowercased(name[$0]) == own[$0] }
    }
  }

  /// Header lines under the names that the listener's attributes give them.
  func renamed(_ lines: [UInt8]) -> [UInt8] {
    if requestHeaderNames.isEmpty || lines.isEmpty { return lines }
    var result: [UInt8] = []
    for line in lines.split(separator: 0x0A) {
      let name = line.prefix { $0 != 0x3A }
      let standard = String(decoding: name.map(Token.lowercased), as: UTF8.self)
      result += requestHeaderNames[standard].map { Array($0.utf8) } ?? Array(name)
      result += line.dropFirst(name.count)
      result.append(0x0A)
    }
    return result
  }
}
