#!/bin/sh
# Makes the bucket and the user of Cutgate on MinIO. It may run any number of times. Secrets go through standard input,
# not through arguments, which others could list.
set -eu

secret() {
    IFS= read -r value < "/run/secrets/$1" || [ -n "$value" ]
    printf '%s\n' "$value"
}

{ echo cutgate-root; secret minio_root_password; } | mc alias set minio http://minio:9000 > /dev/null
mc mb --ignore-existing "minio/$CUTGATE_S3_BUCKET"

policy="cutgate-reads-and-writes-$CUTGATE_S3_BUCKET"
cat > /tmp/policy.json <<END
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
      "Resource": ["arn:aws:s3:::$CUTGATE_S3_BUCKET/*"]
    },
    {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::$CUTGATE_S3_BUCKET"]}
  ]
}
END
mc admin policy create minio "$policy" /tmp/policy.json
{ secret cutgate_s3_access_key; secret cutgate_s3_secret_key; } | mc admin user add minio
user=$(secret cutgate_s3_access_key)
case $(mc admin user info minio "$user") in
    *"$policy"*) ;; # attaching it a second time would be an error
    *) mc admin policy attach minio "$policy" --user "$user" ;;
esac
