using System.Text;
using Forebay.Core;
using Xunit;

namespace Forebay.Testing;

/// <summary>What every under-store must do. A derived class says how to open one and how to change what it holds.</summary>
/// <remarks>Reading and failing; see UnderStoreConformance.Listing.cs for names.</remarks>
public abstract partial class UnderStoreConformance : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>An empty store.</summary>
    protected IUnderStore Store { get; private set; } = null!;

    /// <summary>Ends whatever hangs.</summary>
    protected CancellationToken Token { get; } = new CancellationTokenSource(Limit).Token;

    /// <summary>Opens an empty store of its own for one test.</summary>
    protected abstract Task<IUnderStore> OpenAsync();

    /// <summary>Creates or replaces an object.</summary>
    protected abstract Task PutAsync(string key, byte[] content);

    /// <summary>Deletes an object.</summary>
    protected abstract Task DeleteAsync(string key);

    /// <summary>A store whose bucket or root does not exist.</summary>
    protected abstract Task<IUnderStore> OpenMissingAsync();

    /// <summary>The same store seen with credentials it refuses; null where this place cannot refuse any.</summary>
    protected abstract Task<IUnderStore?> OpenForbiddenAsync();

    /// <summary>A store with an object <c>broken</c> of 100,000 bytes whose reads end after about half of them, without a word.</summary>
    protected abstract Task<IUnderStore> OpenTruncatingAsync();

    /// <summary>A store with an object <c>broken</c> of 100,000 bytes whose reads are reset after about half of them.</summary>
    protected abstract Task<IUnderStore> OpenResettingAsync();

    /// <summary>A store that does not answer at all.</summary>
    protected abstract Task<IUnderStore> OpenHangingAsync();

    /// <summary>
    /// How a missing bucket or root fails: a service that says "no such bucket" has answered, a directory that is not there may be a share that
    /// is not mounted.
    /// </summary>
    protected virtual ErrorKind MissingKind => ErrorKind.NotFound;

    /// <summary>False for keys that this kind of store cannot hold.</summary>
    protected virtual bool CanHold(string key) => true;

    public async Task InitializeAsync() => Store = await OpenAsync();

    public virtual async Task DisposeAsync() => await Store.DisposeAsync();

    [Fact]
    public async Task StatTellsLengthTokenAndTime()
    {
        await PutAsync("a/b.txt", "hello"u8.ToArray());

        ObjectStat stat = await Store.StatAsync("a/b.txt", "request-1", Token);

        Assert.Equal("a/b.txt", stat.Key);
        Assert.Equal(5, stat.Length);
        Assert.NotEmpty(stat.Token.Value);
        Assert.Matches("^(W/)?\".+\"$", stat.ETag);
        Assert.NotNull(stat.Headers);
        Assert.True(stat.LastModified > DateTimeOffset.UnixEpoch);
    }

    [Theory]
    [InlineData("absent")]
    [InlineData("a")]
    [InlineData("a/")]
    [InlineData("a/b.txt/c")]
    [InlineData("../a/b.txt")]
    [InlineData("/a/b.txt")]
    [InlineData("a//b.txt")]
    [InlineData("")]
    public async Task MissingObjectsAreNotFound(string key)
    {
        await PutAsync("a/b.txt", "hello"u8.ToArray());

        await FailsAsync(ErrorKind.NotFound, () => Store.StatAsync(key, null, Token));
        await FailsAsync(ErrorKind.NotFound, () => Store.ReadAllAsync(key, new ByteRange(0, 1), cancellationToken: Token));
    }

    [Fact]
    public async Task DeletedObjectsAreNotFound()
    {
        await PutAsync("a", "hello"u8.ToArray());
        await DeleteAsync("a");

        await FailsAsync(ErrorKind.NotFound, () => Store.StatAsync("a", null, Token));
    }

    [Fact]
    public async Task AMissingBucketOrRootFailsAndIsNeverEmpty()
    {
        await using IUnderStore store = await OpenMissingAsync();

        await FailsAsync(MissingKind, () => store.StatAsync("a", null, Token));
        await FailsAsync(MissingKind, () => store.ReadAllAsync("a", new ByteRange(0, 1), cancellationToken: Token));
        await FailsAsync(MissingKind, () => store.ListAllAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task RefusedCredentialsAreAccessDenied()
    {
        await PutAsync("a", "hello"u8.ToArray());
        await using IUnderStore? store = await OpenForbiddenAsync();
        if (store is null)
        {
            return;
        }

        await FailsAsync(ErrorKind.AccessDenied, () => store.StatAsync("a", null, Token));
        await FailsAsync(ErrorKind.AccessDenied, () => store.ReadAllAsync("a", new ByteRange(0, 1), cancellationToken: Token));
        await FailsAsync(ErrorKind.AccessDenied, () => store.ListAllAsync(cancellationToken: Token));
    }

    [Theory]
    [InlineData(0, 10_000, 10_000)]
    [InlineData(0, 1, 1)]
    [InlineData(9_999, 1, 1)]
    [InlineData(1_234, 4_321, 4_321)]
    [InlineData(9_000, 5_000, 1_000)]
    [InlineData(0, long.MaxValue, 10_000)]
    [InlineData(7, long.MaxValue, 9_993)]
    public async Task RangesAreReadExactlyAndClippedAtTheEnd(long offset, long length, int expected)
    {
        byte[] content = Random(10_000, seed: 1);
        await PutAsync("object", content);
        ObjectStat stat = await Store.StatAsync("object", null, Token);

        await using UnderStoreRead read = await Store.ReadAsync("object", new ByteRange(offset, length), null, "request-1", Token);
        byte[] bytes = await read.ReadToEndAsync(Token);

        Assert.Equal(new ByteRange(offset, expected), read.Range);
        Assert.Equal(content[(int)offset..((int)offset + expected)], bytes);
        Assert.Equal(stat.Token, read.Stat.Token);
        Assert.Equal(10_000, read.Stat.Length);
        Assert.Equal(stat.LastModified, read.Stat.LastModified);
        Assert.Equal(0, await read.ReadAsync(new byte[1], Token));
    }

    [Theory]
    [InlineData(5, 5)]
    [InlineData(5, 6)]
    [InlineData(0, 0)]
    public async Task AnOffsetAtOrPastTheEndIsAnInvalidRange(int length, int offset)
    {
        await PutAsync("object", new byte[length]);

        await FailsAsync(ErrorKind.InvalidRange, () => Store.ReadAllAsync("object", new ByteRange(offset, 10), cancellationToken: Token));
    }

    [Fact]
    public async Task EmptyObjectsHaveAStat()
    {
        await PutAsync("empty", []);

        ObjectStat stat = await Store.StatAsync("empty", null, Token);

        Assert.Equal(0, stat.Length);
    }

    [Fact]
    public async Task ATokenStaysWhileNothingChangesAndChangesWithTheBytes()
    {
        await PutAsync("a", Random(1000, seed: 1));
        VersionToken first = (await Store.StatAsync("a", null, Token)).Token;
        VersionToken again = (await Store.StatAsync("a", null, Token)).Token;
        VersionToken listed = (await Store.ListAllAsync(cancellationToken: Token))[0].Stat!.Token;

        await PutAsync("a", Random(1000, seed: 2));
        VersionToken changed = (await Store.StatAsync("a", null, Token)).Token;

        Assert.Equal(first, again);
        Assert.Equal(first, listed);
        Assert.NotEqual(first, changed);
    }

    [Fact]
    public async Task AConditionalReadGivesTheExpectedVersionOrNothing()
    {
        byte[] content = Random(1000, seed: 1);
        await PutAsync("a", content);
        VersionToken token = (await Store.StatAsync("a", null, Token)).Token;

        byte[] read = await Store.ReadAllAsync("a", new ByteRange(10, 20), token, Token);
        await PutAsync("a", Random(1000, seed: 2));

        Assert.Equal(content[10..30], read);
        await FailsAsync(ErrorKind.StaleVersion, () => Store.ReadAllAsync("a", new ByteRange(10, 20), token, Token));
    }

    [Fact]
    public async Task AConditionalReadBehindTheEndOfAShorterVersionIsStale()
    {
        await PutAsync("a", Random(1000, seed: 1));
        VersionToken token = (await Store.StatAsync("a", null, Token)).Token;
        await PutAsync("a", Random(10, seed: 2));

        await FailsAsync(ErrorKind.StaleVersion, () => Store.ReadAllAsync("a", new ByteRange(500, 20), token, Token));
    }

    [Fact]
    public async Task AnObjectReplacedDuringAReadGivesOneVersionOrAnError()
    {
        const int Length = 8 << 20;
        byte[] content = Random(Length, seed: 1);
        await PutAsync("a", content);
        await using UnderStoreRead read = await Store.ReadAsync("a", new ByteRange(0, Length), null, null, Token);
        byte[] start = new byte[1000];
        int count = await read.ReadAsync(start, Token);

        await PutAsync("a", Random(Length, seed: 2));

        try
        {
            byte[] rest = await read.ReadToEndAsync(Token);
            Assert.True(content.AsSpan().SequenceEqual([.. start.AsSpan(0, count), .. rest]), "bytes of two versions were mixed");
        }
        catch (ForebayException error)
        {
            Assert.True(error.Kind is ErrorKind.StaleVersion or ErrorKind.Unavailable, error.ToString());
        }
    }

    [Fact]
    public async Task ATruncatedReadIsAnErrorAndNeverAnEnd()
    {
        await using IUnderStore store = await OpenTruncatingAsync();

        await BreaksAsync(store);
    }

    [Fact]
    public async Task AResetReadIsAnError()
    {
        await using IUnderStore store = await OpenResettingAsync();

        await BreaksAsync(store);
    }

    [Fact]
    public async Task CancellationEndsTheWaitForAStoreThatHangs()
    {
        await using IUnderStore store = await OpenHangingAsync();
        using CancellationTokenSource source = new();

        Task[] calls =
        [
            store.StatAsync("a", null, source.Token),
            store.ReadAsync("a", new ByteRange(0, 1), null, null, source.Token),
            store.ListAsync(new ListQuery("", null, null, 10), null, source.Token),
        ];
        Assert.All(calls, call => Assert.False(call.IsCompleted));
        await source.CancelAsync();

        foreach (Task call in calls)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call.WaitAsync(Token));
        }
    }

    [Fact]
    public async Task ACancelledReadStopsAndLeavesTheStoreUsable()
    {
        const int Length = 8 << 20;
        await PutAsync("a", new byte[Length]);
        using CancellationTokenSource source = new();
        await using (UnderStoreRead read = await Store.ReadAsync("a", new ByteRange(0, Length), null, null, source.Token))
        {
            await source.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.ReadAsync(new byte[100], source.Token).AsTask());
        }

        Assert.Equal(Length, (await Store.StatAsync("a", null, Token)).Length);
    }

    [Fact]
    public void NamesItselfWithoutSecrets()
    {
        Assert.Equal(32, Store.Id.Value.Length);
        Assert.NotEmpty(Store.DisplayName);
        Assert.DoesNotContain("secret", Store.DisplayName, StringComparison.OrdinalIgnoreCase);
    }

    protected static byte[] Random(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    protected static async Task<ForebayException> FailsAsync(ErrorKind kind, Func<Task> action)
    {
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(action);
        Assert.True(kind == error.Kind, $"expected {kind}, got {error.Kind}: {error.Message}");
        return error;
    }

    private async Task BreaksAsync(IUnderStore store)
    {
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(
            () => store.ReadAllAsync("broken", new ByteRange(0, 100_000), cancellationToken: Token));
        Assert.True(error.Kind is ErrorKind.Unavailable or ErrorKind.StaleVersion, error.ToString());
    }
}
