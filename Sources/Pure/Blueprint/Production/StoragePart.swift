// The key, the buckets and the secrets.

extension ProductionTemplate {
  mutating func key() {
    out.group("The key that encrypts everything at rest")
    let root = "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"
    let groups = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/castle/${AWS::StackName}/*"
    let owner: Piece = [
      "Sid": "TheAccountDecides", "Effect": "Allow", "Principal": ["AWS": .sub(root)], "Action": "kms:*",
      "Resource": "*",
    ]
    let logs: Piece = [
      "Sid": "LogGroupsOfThisStack", "Effect": "Allow",
      "Principal": ["Service": .sub("logs.${AWS::Region}.${AWS::URLSuffix}")],
      "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
      "Resource": "*",
      "Condition": ["ArnLike": ["kms:EncryptionContext:aws:logs:arn": .sub(groups)]],
    ]
    out.add(
      "Key", "AWS::KMS::Key",
      [
        ("Description", .sub("Everything at rest in ${AWS::StackName}")), ("EnableKeyRotation", true),
        ("PendingWindowInDays", 30), ("KeyPolicy", policyDocument([owner, logs])),
      ],
      .init(deletionPolicy: "Retain"))
    out.add(
      "KeyAlias", "AWS::KMS::Alias",
      [("AliasName", .sub("alias/${AWS::StackName}")), ("TargetKeyId", .ref("Key"))])
  }

  mutating func buckets() {
    guard !blueprint.buckets.isEmpty else { return }
    out.group("Buckets")
    for bucket in blueprint.buckets {
      let id = "\(bucket.name.logical)Bucket"
      let encryption: Piece = [
        "ServerSideEncryptionByDefault": ["SSEAlgorithm": "aws:kms", "KMSMasterKeyID": .attribute("Key", "Arn")],
        "BucketKeyEnabled": true,
      ]
      out.add(
        id, "AWS::S3::Bucket",
        [
          ("BucketEncryption", ["ServerSideEncryptionConfiguration": [encryption]]),
          ("LifecycleConfiguration", ["Rules": .list(lifecycle(bucket))]),
          ("OwnershipControls", ["Rules": [["ObjectOwnership": "BucketOwnerEnforced"]]]),
          (
            "PublicAccessBlockConfiguration",
            [
              "BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true,
              "RestrictPublicBuckets": true,
            ]
          ),
          ("VersioningConfiguration", ["Status": "Enabled"]),
        ],
        .init(deletionPolicy: "Retain"))
      // Plain HTTP is refused, but for callers on the machine itself: only a castle has such callers.
      let statement: Piece = [
        "Sid": "OnlyTLS", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": [.attribute(id, "Arn"), .sub("${\(id).Arn}/*")],
        "Condition": [
          "Bool": ["aws:SecureTransport": "false"], "NotIpAddress": ["aws:SourceIp": "127.0.0.0/8"],
        ],
      ]
      out.add(
        "\(id)Policy", "AWS::S3::BucketPolicy",
        [("Bucket", .ref(id)), ("PolicyDocument", policyDocument([statement]))])
      out.output(id, "The bucket \(bucket.name)", .ref(id))
    }
  }

  private func lifecycle(_ bucket: Blueprint.Bucket) -> [Piece] {
    var rules: [Piece] = []
    if let days = bucket.glacierDays {
      rules.append([
        "Id": "Glacier", "Status": "Enabled",
        "Transitions": [["StorageClass": "GLACIER", "TransitionInDays": .number(days)]],
      ])
    }
    if let days = bucket.expireDays {
      rules.append(["Id": "Expire", "Status": "Enabled", "ExpirationInDays": .number(days)])
    }
    rules.append([
      "Id": "OldVersions", "Status": "Enabled", "NoncurrentVersionExpiration": ["NoncurrentDays": 30],
    ])
    rules.append([
      "Id": "UnfinishedUploads", "Status": "Enabled",
      "AbortIncompleteMultipartUpload": ["DaysAfterInitiation": 7],
    ])
    return rules
  }

  mutating func secrets() {
    guard !blueprint.secrets.isEmpty else { return }
    out.group("Secrets")
    for secret in blueprint.secrets {
      let id = "\(secret.name.logical)Secret"
      var metadata: Piece?
      if let days = secret.rotateDays {
        metadata = [
          "Castle": [
            "RotateDays": .number(days),
            "Note": "Rotation needs a Lambda function that knows what the secret is for; none is part of this template",
          ]
        ]
      }
      out.add(
        id, "AWS::SecretsManager::Secret",
        [
          ("Description", .sub("\(secret.name) of ${AWS::StackName}")),
          ("GenerateSecretString", ["PasswordLength": 64, "ExcludePunctuation": true]), ("KmsKeyId", .ref("Key")),
        ],
        .init(deletionPolicy: "Retain", metadata: metadata))
      out.output("\(id)Arn", "The secret \(secret.name)", .ref(id))
    }
  }
}
