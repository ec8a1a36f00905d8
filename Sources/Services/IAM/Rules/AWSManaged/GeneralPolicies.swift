// Managed policies for people and for whole services.

extension AWSManagedPolicies {
  static let general: [AWSManagedPolicy] = [
    .init("AdministratorAccess", "Provides full access to AWS services and resources.", everything),
    .init(
      "PowerUserAccess", version: "v5",
      "Provides full access to AWS services and resources, but does not allow management of Users and groups.",
      """
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],\
      "Resource":"*"},{"Effect":"Allow","Action":["account:GetAccountInformation","account:GetPrimaryEmail",\
      "account:ListRegions","iam:CreateServiceLinkedRole","iam:DeleteServiceLinkedRole","iam:ListRoles",\
      "organizations:DescribeEffectivePolicy","organizations:DescribeOrganization"],"Resource":"*"}]}
      """),
    .init(
      "ReadOnlyAccess", "Provides read-only access to AWS services and resources.",
      statement([
        "acm:Describe*", "acm:Get*", "acm:List*", "application-autoscaling:Describe*",
        "application-autoscaling:ListTagsForResource", "autoscaling:Describe*", "cloudformation:Describe*",
        "cloudformation:Detect*", "cloudformation:Estimate*", "cloudformation:Get*", "cloudformation:List*",
        "cloudformation:ValidateTemplate", "cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*",
        "ec2:Describe*", "ec2:Get*", "ec2:List*", "ec2:Search*", "ecr:BatchCheck*", "ecr:BatchGet*", "ecr:Describe*",
        "ecr:Get*", "ecr:List*", "ecs:Describe*", "ecs:List*", "elasticache:Describe*", "elasticache:List*",
        "elasticloadbalancing:Describe*", "iam:Generate*", "iam:Get*", "iam:List*", "iam:Simulate*", "kms:Describe*",
        "kms:Get*", "kms:List*", "logs:Describe*", "logs:FilterLogEvents", "logs:Get*", "logs:ListTagsForResource",
        "logs:ListTagsLogGroup", "logs:StartQuery", "logs:StopQuery", "logs:TestMetricFilter", "rds:Describe*",
        "rds:List*", "rds:Download*", "route53:Get*", "route53:List*", "route53:Test*", "s3:DescribeJob", "s3:Get*",
        "s3:List*", "secretsmanager:Describe*", "secretsmanager:GetResourcePolicy", "secretsmanager:List*",
        "servicediscovery:Get*", "servicediscovery:List*", "shield:Describe*", "shield:Get*", "shield:List*",
        "sts:GetAccessKeyInfo", "sts:GetCallerIdentity", "sts:GetSessionToken", "tag:Get*", "wafv2:CheckCapacity",
        "wafv2:Describe*", "wafv2:Get*", "wafv2:List*",
      ])),
    .init(
      "ViewOnlyAccess", path: "/job-function/",
      "This policy grants permissions to view resources and basic metadata across all AWS services.",
      statement([
        "acm:ListCertificates", "autoscaling:Describe*", "cloudformation:DescribeStacks", "cloudformation:List*",
        "cloudwatch:Describe*", "cloudwatch:List*", "ec2:Describe*", "ecr:DescribeRepositories", "ecr:ListImages",
        "ecs:Describe*", "ecs:List*", "elasticache:Describe*", "elasticloadbalancing:Describe*",
        "iam:GetAccountSummary",
        "iam:List*", "kms:ListAliases", "kms:ListKeys", "logs:DescribeLogGroups", "logs:DescribeLogStreams",
        "rds:Describe*", "route53:Get*", "route53:List*", "s3:ListAllMyBuckets", "s3:ListBucket",
        "secretsmanager:ListSecrets", "shield:List*", "wafv2:List*",
      ])),
    .init(
      "SecurityAudit", "The security audit template grants access to read security configuration metadata.",
      statement([
        "acm:Describe*", "acm:List*", "cloudformation:DescribeStack*", "cloudformation:GetTemplate",
        "cloudformation:ListStack*", "cloudwatch:Describe*", "ec2:Describe*", "ecr:DescribeRepositories",
        "ecr:GetRepositoryPolicy", "ecs:Describe*", "ecs:List*", "elasticache:Describe*",
        "elasticloadbalancing:Describe*", "iam:Get*", "iam:List*", "iam:Simulate*", "kms:Describe*", "kms:Get*",
        "kms:List*", "logs:Describe*", "rds:Describe*", "route53:Get*", "route53:List*", "s3:GetBucket*",
        "s3:GetEncryptionConfiguration", "s3:ListAllMyBuckets", "secretsmanager:DescribeSecret",
        "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecrets", "shield:Describe*", "shield:List*",
        "wafv2:Get*", "wafv2:List*",
      ])),
    .init(
      "IAMFullAccess", version: "v2", "Provides full access to IAM via the AWS Management Console.",
      statement([
        "iam:*", "organizations:DescribeAccount", "organizations:DescribeOrganization",
        "organizations:DescribeOrganizationalUnit", "organizations:DescribePolicy", "organizations:ListChildren",
        "organizations:ListParents", "organizations:ListPoliciesForTarget", "organizations:ListRoots",
        "organizations:ListPolicies", "organizations:ListTargetsForPolicy",
      ])),
    .init(
      "IAMReadOnlyAccess", version: "v4", "Provides read only access to IAM via the AWS Management Console.",
      statement([
        "iam:GenerateCredentialReport", "iam:GenerateServiceLastAccessedDetails", "iam:Get*", "iam:List*",
        "iam:SimulateCustomPolicy", "iam:SimulatePrincipalPolicy",
      ])),
    .init(
      "IAMUserChangePassword", version: "v2", "Provides the ability for an IAM user to change their own password.",
      """
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:ChangePassword"],\
      "Resource":["arn:aws:iam::*:user/${aws:username}"]},{"Effect":"Allow","Action":["iam:GetAccountPasswordPolicy"],\
      "Resource":"*"}]}
      """),
    .init(
      "AWSDenyAll", version: "v2", "Deny all access.",
      #"{"Version":"2012-10-17","Statement":[{"Sid":"DenyAll","Effect":"Deny","Action":["*"],"Resource":"*"}]}"#),
  ]

  static let service: [AWSManagedPolicy] = [
    .init(
      "AmazonS3FullAccess", version: "v2", "Provides full access to all buckets via the AWS Management Console.",
      statement(["s3:*", "s3-object-lambda:*"])),
    .init(
      "AmazonS3ReadOnlyAccess", version: "v3",
      "Provides read only access to all buckets via the AWS Management Console.",
      statement(["s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"])),
    .init(
      "CloudWatchLogsFullAccess", version: "v2", "Provides full access to CloudWatch Logs",
      statement(["logs:*", "cloudwatch:GenerateQuery"])),
    .init(
      "CloudWatchLogsReadOnlyAccess", version: "v5", "Provides read only access to CloudWatch Logs",
      statement([
        "logs:Describe*", "logs:Get*", "logs:List*", "logs:StartQuery", "logs:StopQuery", "logs:TestMetricFilter",
        "logs:FilterLogEvents", "logs:StartLiveTail", "logs:StopLiveTail", "cloudwatch:GenerateQuery",
      ])),
    .init(
      "CloudWatchReadOnlyAccess", "Provides read only access to CloudWatch.",
      statement([
        "application-autoscaling:DescribeScalingPolicies", "autoscaling:Describe*", "cloudwatch:Describe*",
        "cloudwatch:Get*", "cloudwatch:List*", "logs:Get*", "logs:List*", "logs:StartQuery", "logs:StopQuery",
        "logs:Describe*", "logs:TestMetricFilter", "logs:FilterLogEvents", "sns:Get*", "sns:List*",
      ])),
    .init(
      "CloudWatchFullAccess", "Provides full access to CloudWatch.",
      """
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["autoscaling:Describe*","cloudwatch:*","logs:*",\
      "sns:*","iam:GetPolicy","iam:GetPolicyVersion","iam:GetRole","oam:ListSinks"],"Resource":"*"},{"Effect":"Allow",\
      "Action":"iam:CreateServiceLinkedRole",\
      "Resource":"arn:aws:iam::*:role/aws-service-role/events.amazonaws.com/AWSServiceRoleForCloudWatchEvents*",\
      "Condition":{"StringLike":{"iam:AWSServiceName":"events.amazonaws.com"}}}]}
      """),
    .init(
      "CloudWatchAgentServerPolicy", version: "v3", "Permissions required to use AmazonCloudWatchAgent on servers",
      """
      {"Version":"2012-10-17","Statement":[{"Sid":"CWACloudWatchServerPermissions","Effect":"Allow","Action":[\
      "cloudwatch:PutMetricData","ec2:DescribeVolumes","ec2:DescribeTags","logs:PutLogEvents",\
      "logs:PutRetentionPolicy","logs:DescribeLogStreams","logs:DescribeLogGroups","logs:CreateLogStream",\
      "logs:CreateLogGroup","xray:PutTraceSegments","xray:PutTelemetryRecords","xray:GetSamplingRules",\
      "xray:GetSamplingTargets","xray:GetSamplingStatisticSummaries"],"Resource":"*"},{\
      "Sid":"CWASSMServerPermissions","Effect":"Allow","Action":["ssm:GetParameter"],\
      "Resource":"arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*"}]}
      """),
    .init(
      "AmazonSSMManagedInstanceCore", version: "v2",
      "The policy for Amazon EC2 Role to enable AWS Systems Manager service core functionality.",
      """
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:DescribeAssociation",\
      "ssm:GetDeployablePatchSnapshotForInstance","ssm:GetDocument","ssm:DescribeDocument","ssm:GetManifest",\
      "ssm:GetParameter","ssm:GetParameters","ssm:ListAssociations","ssm:ListInstanceAssociations",\
      "ssm:PutInventory","ssm:PutComplianceItems","ssm:PutConfigurePackageResult","ssm:UpdateAssociationStatus",\
      "ssm:UpdateInstanceAssociationStatus","ssm:UpdateInstanceInformation"],"Resource":"*"},{"Effect":"Allow",\
      "Action":["ssmmessages:CreateControlChannel","ssmmessages:CreateDataChannel","ssmmessages:OpenControlChannel",\
      "ssmmessages:OpenDataChannel"],"Resource":"*"},{"Effect":"Allow","Action":["ec2messages:AcknowledgeMessage",\
      "ec2messages:DeleteMessage","ec2messages:FailMessage","ec2messages:GetEndpoint","ec2messages:GetMessages",\
      "ec2messages:SendReply"],"Resource":"*"}]}
      """),
    .init(
      "AmazonSSMReadOnlyAccess", "Provides read only access to Amazon SSM.",
      statement(["ssm:Describe*", "ssm:Get*", "ssm:List*"])),
    .init(
      "AmazonEC2ContainerRegistryReadOnly", version: "v3",
      "Provides read-only access to Amazon EC2 Container Registry repositories.",
      statement([
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
        "ecr:GetRepositoryPolicy", "ecr:DescribeRepositories", "ecr:ListImages", "ecr:DescribeImages",
        "ecr:BatchGetImage", "ecr:GetLifecyclePolicy", "ecr:GetLifecyclePolicyPreview", "ecr:ListTagsForResource",
        "ecr:DescribeImageScanFindings",
      ])),
    .init(
      "AmazonEC2ContainerRegistryPowerUser", version: "v3",
      "Provides full access to Amazon EC2 Container Registry repositories, but does not allow repository deletion or policy changes.",
      statement([
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
        "ecr:GetRepositoryPolicy", "ecr:DescribeRepositories", "ecr:ListImages", "ecr:DescribeImages",
        "ecr:BatchGetImage", "ecr:GetLifecyclePolicy", "ecr:GetLifecyclePolicyPreview", "ecr:ListTagsForResource",
        "ecr:DescribeImageScanFindings", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload",
        "ecr:PutImage",
      ])),
    .init(
      "SecretsManagerReadWrite", version: "v5",
      "Provides read/write access to AWS Secrets Manager via the AWS Management Console.",
      """
      {"Version":"2012-10-17","Statement":[{"Sid":"BasePermissions","Effect":"Allow","Action":["secretsmanager:*",\
      "cloudformation:CreateChangeSet","cloudformation:DescribeChangeSet","cloudformation:DescribeStackResource",\
      "cloudformation:DescribeStacks","cloudformation:ExecuteChangeSet","docdb-elastic:GetCluster",\
      "docdb-elastic:ListClusters","ec2:DescribeSecurityGroups","ec2:DescribeSubnets","ec2:DescribeVpcs",\
      "kms:DescribeKey","kms:ListAliases","kms:ListKeys","lambda:ListFunctions","rds:DescribeDBClusters",\
      "rds:DescribeDBInstances","redshift:DescribeClusters","redshift-serverless:ListWorkgroups",\
      "redshift-serverless:GetNamespace","tag:GetResources"],"Resource":"*"},{"Sid":"LambdaPermissions",\
      "Effect":"Allow","Action":["lambda:AddPermission","lambda:CreateFunction","lambda:GetFunction",\
      "lambda:InvokeFunction","lambda:UpdateFunctionConfiguration"],\
      "Resource":"arn:aws:lambda:*:*:function:SecretsManager*"},{"Sid":"SARPermissions","Effect":"Allow","Action":[\
      "serverlessrepo:CreateCloudFormationChangeSet","serverlessrepo:GetApplication"],\
      "Resource":"arn:aws:serverlessrepo:*:*:applications/SecretsManager*"},{"Sid":"S3Permissions","Effect":"Allow",\
      "Action":["s3:GetObject"],"Resource":["arn:aws:s3:::awsserverlessrepo-changesets*",\
      "arn:aws:s3:::secrets-manager-rotation-apps-*/*"]}]}
      """),
    .init(
      "AmazonECS_FullAccess", version: "v20",
      "Provides administrative access to Amazon ECS resources and enables ECS features through access to other AWS service resources.",
      """
      {"Version":"2012-10-17","Statement":[{"Sid":"ECSIntegrationsManagementPolicy","Effect":"Allow","Action":[\
      "application-autoscaling:*","autoscaling:Describe*","cloudwatch:DescribeAlarms","cloudwatch:GetMetricStatistics",\
      "cloudwatch:PutMetricAlarm","cloudwatch:DeleteAlarms","ec2:Describe*","ecs:*","elasticloadbalancing:*",\
      "iam:ListAttachedRolePolicies","iam:ListInstanceProfiles","iam:ListRoles","logs:CreateLogGroup",\
      "logs:DescribeLogGroups","logs:FilterLogEvents","servicediscovery:*"],"Resource":["*"]},{\
      "Sid":"TasksPassRolePolicy","Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringLike":{\
      "iam:PassedToService":"ecs-tasks.amazonaws.com"}}}]}
      """),
    .init(
      "AmazonRDSFullAccess", "Provides full access to Amazon RDS via the AWS Management Console.",
      statement([
        "rds:*", "application-autoscaling:*", "cloudwatch:*", "ec2:Describe*", "kms:ListAliases", "kms:DescribeKey",
        "logs:DescribeLogStreams", "logs:GetLogEvents", "iam:CreateServiceLinkedRole",
      ])),
    .init(
      "AmazonRDSReadOnlyAccess", "Provides read only access to Amazon RDS via the AWS Management Console.",
      statement(["rds:Describe*", "rds:ListTagsForResource", "ec2:Describe*", "cloudwatch:GetMetricStatistics"])),
    .init(
      "AmazonElastiCacheFullAccess", "Provides full access to Amazon ElastiCache.",
      statement(["elasticache:*", "ec2:Describe*", "kms:DescribeKey", "kms:ListAliases", "kms:ListKeys"])),
    .init(
      "AmazonRoute53FullAccess", version: "v4", "Provides full access to all Amazon Route 53.",
      statement([
        "route53:*", "route53domains:*", "cloudfront:ListDistributions", "elasticloadbalancing:DescribeLoadBalancers",
        "elasticbeanstalk:DescribeEnvironments", "s3:ListAllMyBuckets", "s3:GetBucketLocation",
        "s3:GetBucketWebsite", "ec2:DescribeVpcs", "ec2:DescribeVpcEndpoints", "ec2:DescribeRegions",
        "sns:ListTopics", "sns:ListSubscriptionsByTopic", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricStatistics",
      ])),
    .init(
      "AmazonEC2ReadOnlyAccess", version: "v2", "Provides read only access to Amazon EC2.",
      statement([
        "ec2:Describe*", "ec2:GetSecurityGroupsForVpc", "elasticloadbalancing:Describe*", "cloudwatch:ListMetrics",
        "cloudwatch:GetMetricStatistics", "cloudwatch:Describe*", "autoscaling:Describe*",
      ])),
    .init(
      "AmazonVPCFullAccess", "Provides full access to Amazon VPC.",
      statement(["ec2:*", "elasticloadbalancing:DescribeLoadBalancers"])),
    .init(
      "ElasticLoadBalancingFullAccess", "Provides full access to Amazon ElasticLoadBalancing.",
      statement(["elasticloadbalancing:*", "ec2:Describe*", "cognito-idp:DescribeUserPoolClient"])),
    .init(
      "AWSXRayDaemonWriteAccess", version: "v2", "Allow the AWS X-Ray Daemon to relay raw trace segments data.",
      statement([
        "xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets",
        "xray:GetSamplingStatisticSummaries",
      ])),
  ]
}
