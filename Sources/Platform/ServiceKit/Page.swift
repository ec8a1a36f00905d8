// Lists in pages: a token is the base64 of the place of the last item that was told.

import AWSCore

/// The tokens (markers) of lists, opaque to callers.
public enum PageToken {
  public static func write(_ place: String) -> String { Base64.encode(Array(place.utf8)) }

  /// The place; nil for what was never given out.
  public static func read(_ token: String) -> String? {
    Base64.decode(token).flatMap { String(validating: $0, as: UTF8.self) }
  }
}

/// One page of a list. A service adds an initializer with its own limits and its own error.
public struct Page<Item> {
  public var items: [Item]
  /// The token of the next page; nil on the last.
  public var next: String?

  /// A page of a list in the order of `place`, which is unique in it. Items may come and go between two pages.
  /// - Parameters:
  ///   - ordered: in that order.
  ///   - token: of the page before; nil or empty for the first page.
  ///   - limit: how many items at most; at least one is given.
  ///   - isDescending: from the last place to the first.
  ///   - invalid: the error for a token that was never given out.
  public init(
    _ ordered: [Item], after token: String?, limit: Int, isDescending: Bool = false, place: (Item) -> String,
    invalid: @autoclosure () -> AWSError
  ) throws(AWSError) {
    var rest = ordered[...]
    if let token, !token.isEmpty {
      guard let last = PageToken.read(token) else { throw invalid() }
      rest = rest.drop { isDescending ? place($0) >= last : place($0) <= last }
    }
    self.init(rest, limit, place)
  }

  /// A page of a list that has an order of its own: it goes on behind the very item that was told last.
  /// - Parameter id: unique in the list.
  public init(
    listed: [Item], after token: String?, limit: Int, id: (Item) -> String, invalid: @autoclosure () -> AWSError
  ) throws(AWSError) {
    var rest = listed[...]
    if let token, !token.isEmpty {
      guard let last = PageToken.read(token), let at = listed.firstIndex(where: { id($0) == last }) else {
        throw invalid()
      }
      rest = listed[(at + 1)...]
    }
    self.init(rest, limit, id)
  }

  private init(_ rest: ArraySlice<Item>, _ limit: Int, _ place: (Item) -> String) {
    items = Array(rest.prefix(max(1, limit)))
    next = rest.count > items.count ? items.last.map { PageToken.write(place($0)) } : nil
  }
}

extension Page: Sendable where Item: Sendable {}

extension Sequence {
  /// The elements in the order of a text that each has.
  public func ordered(by place: (Element) -> String) -> [Element] {
    map { (place($0), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
  }
}
