using Amazon.S3.Model;
using Forebay.Core;
using Forebay.Testing;
using Xunit;

namespace Forebay.UnderStores.Tests;

/// <summary>One radosgw for the tests of this assembly that run beside each other.</summary>
[CollectionDefinition(Name)]
public sealed class RadosGatewayCollection : ICollectionFixture<RadosGateway>
{
    public const string Name = "radosgw";
}

/// <summary>The S3 store against a real server.</summary>
[Collection(RadosGatewayCollection.Name)]
public sealed class S3ConformanceTests(RadosGateway gateway) : UnderStoreConformance
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    private readonly List<HttpFaults> _faults = [];
    private string _bucket = "";

    protected override async Task<IUnderStore> OpenAsync()
    {
        _bucket = await gateway.CreateBucketAsync();
        return Open(gateway.Options(_bucket));
    }

    protected override Task PutAsync(string key, byte[] content) => gateway.PutAsync(_bucket, key, content);

    protected override async Task DeleteAsync(string key) => await gateway.Client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = _bucket, Key = key });

    protected override Task<IUnderStore> OpenMissingAsync() => Task.FromResult(Open(gateway.Options("no-such-bucket")));

    protected override Task<IUnderStore?> OpenForbiddenAsync()
        => Task.FromResult<IUnderStore?>(Open(gateway.Options(_bucket) with { Credentials = new UnderStoreCredentials("NOBODY", "wrong") }));

    protected override Task<IUnderStore> OpenTruncatingAsync() => Task.FromResult(Serve(Half(reset: false)));

    protected override Task<IUnderStore> OpenResettingAsync() => Task.FromResult(Serve(Half(reset: true)));

    protected override Task<IUnderStore> OpenHangingAsync() => Task.FromResult(Serve(HttpFaults.Silence));

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        foreach (HttpFaults faults in _faults)
        {
            await faults.DisposeAsync();
        }
    }

    private static IUnderStore Open(UnderStoreOptions options) => UnderStoreFactory.Create(options, ConnectTimeout, 16, TimeProvider.System);

    private static HttpFaults.Answer Half(bool reset) => HttpFaults.Reply(
        "206 Partial Content", "Content-Range: bytes 0-99999/100000\nContent-Length: 100000\nETag: \"abc\"", new byte[100_000], sendOnly: 50_000, reset);

    private IUnderStore Serve(HttpFaults.Answer answer)
    {
        HttpFaults faults = new((_, _) => answer);
        _faults.Add(faults);
        return Open(gateway.Options(_bucket) with { Endpoint = faults.Endpoint });
    }
}
