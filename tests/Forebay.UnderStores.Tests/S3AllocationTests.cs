using Forebay.Core;
using Forebay.Testing;
using Xunit;
using Xunit.Abstractions;

namespace Forebay.UnderStores.Tests;

/// <summary>What one ranged GET costs the garbage collector.</summary>
[Collection(nameof(S3AllocationTests))]
public sealed class S3AllocationTests(RadosGateway gateway, ITestOutputHelper output) : IClassFixture<RadosGateway>
{
    /// <summary>About 4.8 KiB here, 42 KiB with the SDK.</summary>
    private const int BoundBytes = 6 << 10;

    [Fact]
    public async Task ASignedRangedGetAllocatesLittle()
    {
        const int Requests = 300;
        string bucket = await gateway.CreateBucketAsync();
        await gateway.PutAsync(bucket, "dir/object", new byte[64 << 10]);
        await using IUnderStore store = UnderStoreFactory.Create(gateway.Options(bucket), TimeSpan.FromSeconds(5), 4, TimeProvider.System);
        byte[] buffer = new byte[64 << 10];
        await RunAsync(50);

        long before = GC.GetTotalAllocatedBytes(precise: true);
        await RunAsync(Requests);
        long perRequest = (GC.GetTotalAllocatedBytes(precise: true) - before) / Requests;

        output.WriteLine($"{perRequest} bytes per GET");
        Assert.InRange(perRequest, 0, BoundBytes);

        async Task RunAsync(int count)
        {
            for (int i = 0; i < count; i++)
            {
                await using UnderStoreRead read = await store.ReadAsync("dir/object", new ByteRange(0, buffer.Length), null, null, CancellationToken.None);
                while (await read.ReadAsync(buffer, CancellationToken.None) > 0)
                {
                }
            }
        }
    }
}

/// <summary>Alone, since it counts what the whole process allocates.</summary>
[CollectionDefinition(nameof(S3AllocationTests), DisableParallelization = true)]
public sealed class S3AllocationCollection;
