// A metric's value, before it is CloudWatch's shape.

import AWSCore
import AWSWire
import CloudWatchModel

/// One metric under its dimensions: a value, or values with how often each was there.
public struct MetricPoint: Sendable, Equatable {
  public var name: String
  public var dimensions: [String: String]
  /// CloudWatch's name of it (`Count`, `Bytes/Second`).
  public var unit: String
  /// nil for `values`.
  public var value: Double?
  public var values: [Double]
  public var counts: [Double]

  public init(
    name: String, dimensions: [String: String], unit: String, value: Double? = nil, values: [Double] = [],
    counts: [Double] = []
  ) {
    self.name = name
    self.dimensions = dimensions
    self.unit = unit
    self.value = value
    self.values = values
    self.counts = counts
  }

  func datum(_ time: Timestamp) -> CloudWatch.MetricDatum {
    .make {
      $0.metricName = name
      $0.dimensions = dimensions.sorted { $0.key < $1.key }.map { key, value in
        .make {
          $0.name = key
          $0.value = value
        }
      }
      $0.timestamp = time
      $0.unit = unit
      $0.value = value
      if value == nil {
        $0.values = values
        $0.counts = counts
      }
    }
  }
}
