using Forebay.UnderStores;

namespace Forebay.Robustness.Mounts;

/// <summary>Mounts of a real S3 service that cannot work, and what they are told.</summary>
public sealed class RefusedSourceTests(RadosGateway store) : IClassFixture<RadosGateway>
{
    [MountFact]
    public async Task EachFaultOfASourceEndsWithItsCodeAndItsRemedy()
    {
        using MountedDirectory mount = new();
        UnderStoreCredentials good = store.Credentials;
        string bucket = await store.CreateBucketAsync();
        await store.PutAsync(bucket, "there/file", [1, 2, 3]);

        await AssertFailsAsync(7, "AWS_SECRET_ACCESS_KEY", good.AccessKeyId, good.SecretAccessKey + "x", store.Url(bucket));
        await AssertFailsAsync(7, "does not know this access key id", good.AccessKeyId + "X", good.SecretAccessKey, store.Url(bucket));
        await AssertFailsAsync(7, "passwd_file", null, null, store.Url(bucket));
        await AssertFailsAsync(4, "bucket's name (no-such-bucket)", good.AccessKeyId, good.SecretAccessKey, store.Url("no-such-bucket"));

        Set(good.AccessKeyId, good.SecretAccessKey);
        Finished missing = await mount.MountAsync(store.Url(bucket, "not-there/"));
        Assert.True(missing.Code == 0, missing.Text);
        Assert.Contains("Check the prefix", missing.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await mount.RunAsync("unmount", mount.MountPoint)).Code);
        Finished whole = await mount.MountAsync(store.Url(bucket, "there/"));
        Assert.True(whole.Code == 0 && whole.Error.Length == 0, whole.Text);

        async Task AssertFailsAsync(int code, string part, string? id, string? secret, string url)
        {
            Set(id, secret);
            Finished failed = await mount.MountAsync(url);
            Assert.True(failed.Code == code, $"ended with {failed.Code}, not {code}: {failed.Text}\n{mount.Log}");
            Assert.Contains(part, failed.Error, StringComparison.Ordinal);
            Assert.False(mount.IsMounted);
            await Eventually.TrueAsync("nothing runs on", () => mount.Processes().Length == 0);
            if (secret is not null)
            {
                Assert.DoesNotContain(secret, failed.Text + mount.Log, StringComparison.Ordinal);
            }
        }

        void Set(string? id, string? secret)
        {
            mount.Environment["AWS_EC2_METADATA_DISABLED"] = "true";
            mount.Environment["AWS_ACCESS_KEY_ID"] = id ?? "";
            mount.Environment["AWS_SECRET_ACCESS_KEY"] = secret ?? "";
            mount.Environment["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/null";
            mount.Environment["AWS_CONFIG_FILE"] = "/dev/null";
        }
    }
}
