// What a log line must not tell of what rules found or counted by: fields that the logging configuration redacts, and
// parts that the web ACL protects. A piece of a hidden part is hidden wherever it stands.

struct LogMask {
  let data: DataMask
  let logging: WebACL.Logging

  /// Whether the logging configuration hides a part.
  private func redacts(_ field: WebACL.Field, _ name: String) -> Bool {
    switch field {
    case .method: logging.redactsMethod
    case .uriPath: logging.redactsPath
    case .queryString, .queryArgument, .allQueryArguments: logging.redactsQuery
    case .uriFragment: logging.redactsQuery || logging.redactsPath
    case .header, .headers: logging.redactedHeaders.contains(name.lowercased())
    case .cookies: logging.redactedHeaders.contains("cookie")
    case .headerOrder, .body, .jsonBody, .ja3, .ja4: false
    }
  }

  /// The pieces of a finding as they may be told.
  /// - Parameter value: the whole value, as the client sent it: what is hashed is told as the hash that stands for it
  ///   elsewhere in the line, for the hash of a small piece is soon guessed.
  func match(_ field: WebACL.Field, _ name: String, _ pieces: [String], of value: ByteView) -> [String] {
    if redacts(field, name) { return [DataMask.redacted] }
    guard let protection = data.protection(ofMatchIn: field, name) else { return pieces }
    return [data.masked(value.text, protection)]
  }

  /// The name of a finding's argument or cookie, which the client chose, as it may be told.
  func name(_ field: WebACL.Field, _ name: String) -> String {
    switch field {
    case .allQueryArguments:
      logging.redactsQuery || data.hidesQuery ? DataMask.redacted : name
    case .cookies:
      logging.redactedHeaders.contains("cookie") || data.hidesCookies ? DataMask.redacted : name
    default: name
    }
  }

  /// What a rate-based rule counted by, as it may be told.
  func rate(_ key: WebACL.Rate.Key, _ value: String) -> String {
    let isRedacted =
      switch key {
      case .header(let name, _): logging.redactedHeaders.contains(name.lowercased())
      case .cookie: logging.redactedHeaders.contains("cookie")
      case .queryArgument, .queryString: logging.redactsQuery
      case .uriPath: logging.redactsPath
      case .method: logging.redactsMethod
      case .ip, .forwardedIP, .system, .labelNamespace, .ja3, .ja4: false
      }
    return isRedacted ? DataMask.redacted : data.rate(value, key)
  }
}
