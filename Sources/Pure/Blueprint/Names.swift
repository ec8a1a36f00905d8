// The names that one name of castle.yaml becomes.

extension String {
  /// `payment-key` as the beginning of logical ids: `PaymentKey`.
  var logical: String {
    split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  /// `payment-key` as the beginning of environment variables: `PAYMENT_KEY`.
  var variable: String { uppercased().replacing("-", with: "_") }

  /// `payment-key` as the name of a database: `payment_key`.
  var underscored: String { replacing("-", with: "_") }
}
