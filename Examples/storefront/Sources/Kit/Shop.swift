// What the frontend and the backend say to each other: the JSON of /api/*.

/// A thing for sale.
public struct Product: Codable, Sendable, Equatable {
  /// A short name made of small letters and dashes; also the picture's.
  public let id: String
  /// What it is called.
  public let name: String
  /// One line about it.
  public let tagline: String
  /// A paragraph about it.
  public let details: String
  /// What it is made of, and its size.
  public let material: String
  /// What the picture shows, for those who do not see it.
  public let picture: String
  /// In cents of a US dollar.
  public let cents: Int

  /// Memberwise.
  public init(
    id: String, name: String, tagline: String, details: String, material: String, picture: String, cents: Int
  ) {
    self.id = id
    self.name = name
    self.tagline = tagline
    self.details = details
    self.material = material
    self.picture = picture
    self.cents = cents
  }
}

/// A product and how many of it, in a cart or an order.
public struct Line: Codable, Sendable, Equatable {
  /// The product's id.
  public let product: String
  /// Its name (in an order: as it was then).
  public let name: String
  /// For one, in cents (in an order: as it was then).
  public let cents: Int
  /// How many.
  public let quantity: Int

  /// Memberwise.
  public init(product: String, name: String, cents: Int, quantity: Int) {
    self.product = product
    self.name = name
    self.cents = cents
    self.quantity = quantity
  }

  /// Price times quantity, in cents.
  public var total: Int { cents * quantity }
}

/// What a session has put aside.
public struct Cart: Codable, Sendable, Equatable {
  /// In the order of the shop's list.
  public let lines: [Line]

  /// Memberwise.
  public init(lines: [Line]) {
    self.lines = lines
  }

  /// How many things there are.
  public var count: Int { lines.reduce(0) { $0 + $1.quantity } }
  /// In cents.
  public var total: Int { lines.reduce(0) { $0 + $1.total } }
}

/// `POST /api/cart/items`: puts `quantity` more of a product into the cart.
public struct AddToCart: Codable, Sendable {
  /// The product's id.
  public let product: String
  /// How many more.
  public let quantity: Int
  /// Names this addition: the same one sent again changes nothing.
  public let operation: String

  /// Memberwise.
  public init(product: String, quantity: Int, operation: String) {
    self.product = product
    self.quantity = quantity
    self.operation = operation
  }
}

/// `PUT /api/cart/items/ID`: sets how many of a product there are; zero takes it out.
public struct SetQuantity: Codable, Sendable {
  /// How many from now on.
  public let quantity: Int

  /// Memberwise.
  public init(quantity: Int) {
    self.quantity = quantity
  }
}

/// `POST /api/orders`: orders what is in the cart.
public struct PlaceOrder: Codable, Sendable {
  /// Names this checkout: the same one sent again gives the same order.
  public let checkout: String
  /// Who it is for.
  public let name: String
  /// Where word of it goes.
  public let email: String
  /// Where it goes.
  public let address: String

  /// Memberwise.
  public init(checkout: String, name: String, email: String, address: String) {
    self.checkout = checkout
    self.name = name
    self.email = email
    self.address = address
  }
}

/// An order that was placed.
public struct Order: Codable, Sendable, Equatable {
  /// 32 hexadecimal digits.
  public let id: String
  /// The number that people say on the telephone.
  public let number: Int
  /// UTC, RFC 3339, whole seconds.
  public let placed: String
  /// Who it is for.
  public let name: String
  /// Where word of it goes.
  public let email: String
  /// Where it goes.
  public let address: String
  /// What was bought.
  public let lines: [Line]
  /// The signed receipt.
  public let receipt: Receipt

  /// Memberwise.
  public init(
    id: String, number: Int, placed: String, name: String, email: String, address: String, lines: [Line],
    receipt: Receipt
  ) {
    self.id = id
    self.number = number
    self.placed = placed
    self.name = name
    self.email = email
    self.address = address
    self.lines = lines
    self.receipt = receipt
  }

  /// How many things there are.
  public var count: Int { lines.reduce(0) { $0 + $1.quantity } }
  /// In cents.
  public var total: Int { lines.reduce(0) { $0 + $1.total } }
}

/// The signature under an order.
public struct Receipt: Codable, Sendable, Equatable {
  /// The order's id.
  public let id: String
  /// `Ed25519`.
  public let algorithm: String
  /// Names the key: the first 16 hexadecimal digits of the SHA-256 of the public key.
  public let key: String
  /// Base64.
  public let signature: String

  /// Memberwise.
  public init(id: String, algorithm: String, key: String, signature: String) {
    self.id = id
    self.algorithm = algorithm
    self.key = key
    self.signature = signature
  }
}

/// `GET /api/receipts/ID/verify`: whether the order that is in the database now is the one that was signed.
public struct Verification: Codable, Sendable, Equatable {
  /// Whether it is.
  public let valid: Bool
  /// The receipt in question.
  public let receipt: Receipt
  /// The order's number.
  public let number: Int
  /// The text that the signature is checked against, made anew from the database.
  public let statement: String
  /// The public key, base64, for whoever wants to check without this shop.
  public let publicKey: String
  /// Whether the key is the one that signs new receipts (false after the secret was rotated).
  public let currentKey: Bool

  /// Memberwise.
  public init(
    valid: Bool, receipt: Receipt, number: Int, statement: String, publicKey: String, currentKey: Bool
  ) {
    self.valid = valid
    self.receipt = receipt
    self.number = number
    self.statement = statement
    self.publicKey = publicKey
    self.currentKey = currentKey
  }
}

/// The body of every answer that is an error.
public struct Problem: Codable, Sendable, Equatable {
  /// One sentence for people.
  public let error: String

  /// Memberwise.
  public init(error: String) {
    self.error = error
  }
}
