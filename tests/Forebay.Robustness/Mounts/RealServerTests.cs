using System.Globalization;

namespace Forebay.Robustness.Mounts;

/// <summary>Buckets of a real S3 server as directories, with files as other programs write them.</summary>
public sealed class RealServerTests(RadosGateway gateway) : IClassFixture<RadosGateway>
{
    /// <summary>Path and kind; of what is no directory also mode, owner, group, size, whole seconds of the modification time, target of links.</summary>
    private const string Attributes = """find . -mindepth 1 \( -type d -printf '%P %y %m %U %G %Ts\n' -o -printf '%P %y %m %U %G %s %Ts %l\n' \) | sort""";

    [MountFact]
    public async Task ABucketIsTheTreeThatWasCopiedIntoIt()
    {
        using MountedDirectory mount = new();
        MountTests.MakeTree(mount["source"]);
        string bucket = await gateway.CreateBucketAsync();
        foreach (string file in Directory.EnumerateFiles(mount["source"], "*", SearchOption.AllDirectories))
        {
            await gateway.PutAsync(bucket, Path.GetRelativePath(mount["source"], file), await File.ReadAllBytesAsync(file));
        }

        await MountAsync(mount, bucket);

        for (int round = 0; round < 2; round++)
        {
            Finished difference = await mount.ShellAsync($"diff -r {mount["source"]} {mount.MountPoint}");
            Assert.True(difference.Code == 0, $"{difference.Text}\n{mount.Log}");
        }
    }

    [MountFact("s3fs", "s3fs")]
    public async Task WhatS3fsWroteLooksTheSame()
    {
        using MountedDirectory mount = new();
        string bucket = await gateway.CreateBucketAsync();
        Directory.CreateDirectory(mount["s3fs"]);
        await File.WriteAllTextAsync(mount["passwd"], $"{gateway.Credentials.AccessKeyId}:{gateway.Credentials.SecretAccessKey}");
        File.SetUnixFileMode(mount["passwd"], UnixFileMode.UserRead | UnixFileMode.UserWrite);

        Finished written = await mount.ShellAsync($"""
            set -e
            s3fs {bucket} {mount["s3fs"]} -o url={gateway.Endpoint},endpoint={gateway.Region},use_path_request_style,passwd_file={mount["passwd"]},sigv4
            trap 'cd /; umount {mount["s3fs"]}' EXIT
            cd {mount["s3fs"]}
            mkdir -m 700 private; mkdir -m 775 'with space'; mkdir empty; chown 77:88 empty; touch -d '2001-02-03 UTC' empty
            echo one > private/one; chmod 640 private/one; chown 1234:2345 private/one; touch -d '2021-03-04 05:06:07 UTC' private/one
            echo two > 'with space/two'; chmod 755 'with space/two'; touch -d '1999-12-31 23:59:59 UTC' 'with space/two'
            ln -s private/one link
            head -c 7000000 /dev/urandom > large; chmod 600 large; touch -d '2030-01-01 UTC' large
            {Attributes}
            md5sum large private/one link
            """);
        Assert.True(written.Code == 0, written.Text);
        await MountAsync(mount, bucket);

        Finished read = await mount.ShellAsync($"cd {mount.MountPoint} && {Attributes}; md5sum large private/one link");

        Assert.Equal(written.Output, read.Output);
        Assert.Equal(10, read.Output.TrimEnd().Split('\n').Length);
    }

    [MountFact("rclone", "rclone")]
    public async Task TimesThatRcloneWroteAreShown()
    {
        using MountedDirectory mount = new();
        MountTests.MakeTree(mount["source"]);
        DateTime time = DateTime.Parse("2020-02-29T12:34:56.789Z", CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal);
        foreach (string file in Directory.EnumerateFiles(mount["source"], "*", SearchOption.AllDirectories))
        {
            File.SetLastWriteTimeUtc(file, time = time.AddHours(1));
        }

        string bucket = await gateway.CreateBucketAsync();
        mount.Environment["RCLONE_CONFIG"] = "/dev/null";
        mount.Environment["RCLONE_S3_PROVIDER"] = "Ceph";
        mount.Environment["RCLONE_S3_ENDPOINT"] = gateway.Endpoint;
        mount.Environment["RCLONE_S3_ACCESS_KEY_ID"] = gateway.Credentials.AccessKeyId;
        mount.Environment["RCLONE_S3_SECRET_ACCESS_KEY"] = gateway.Credentials.SecretAccessKey;
        Finished copied = await mount.ShellAsync($"rclone copy {mount["source"]} :s3:{bucket}");
        Assert.True(copied.Code == 0, copied.Text);
        await MountAsync(mount, bucket, ",object_attributes=always");

        const string Times = """find . -type f -printf '%P %s %T@\n' | sort""";
        Finished source = await mount.ShellAsync($"cd {mount["source"]} && {Times}");
        Finished shown = await mount.ShellAsync($"cd {mount.MountPoint} && {Times}");

        Assert.Equal(source.Output, shown.Output);
        Assert.Equal(4, shown.Output.TrimEnd().Split('\n').Length);
    }

    private async Task MountAsync(MountedDirectory mount, string bucket, string options = "")
    {
        mount.Environment["AWS_ACCESS_KEY_ID"] = gateway.Credentials.AccessKeyId;
        mount.Environment["AWS_SECRET_ACCESS_KEY"] = gateway.Credentials.SecretAccessKey;
        await mount.MustMountAsync($"s3://{bucket}", "-o", $"url={gateway.Endpoint},endpoint={gateway.Region},use_path_request_style{options}");
    }
}
