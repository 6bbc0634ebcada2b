using System.Text;
using Forebay.Core;
using Forebay.Testing;
using Forebay.UnderStores.Local;

namespace Forebay.UnderStores.Tests;

/// <summary>The directory store on the local file system.</summary>
public sealed class LocalConformanceTests : UnderStoreConformance
{
    private readonly TempDirectory _directory = new();
    private readonly ManualResetEventSlim _released = new();

    private string Root => _directory["root"];

    protected override Task<IUnderStore> OpenAsync()
    {
        Directory.CreateDirectory(Root);
        return Task.FromResult(Open(Root));
    }

    /// <summary>By rename: rewriting in place within one tick of the file system's clock would keep the version.</summary>
    protected override async Task PutAsync(string key, byte[] content)
    {
        string path = Path.Combine(Root, key);
        string staged = _directory[Guid.NewGuid().ToString("N")];
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllBytesAsync(staged, content);
        File.Move(staged, path, overwrite: true);
    }

    protected override Task DeleteAsync(string key)
    {
        File.Delete(Path.Combine(Root, key));
        return Task.CompletedTask;
    }

    protected override Task<IUnderStore> OpenMissingAsync() => Task.FromResult(Open(_directory["no-such-root"]));

    protected override ErrorKind MissingKind => ErrorKind.Unavailable;

    protected override Task<IUnderStore?> OpenForbiddenAsync()
    {
        if (Environment.IsPrivilegedProcess || OperatingSystem.IsWindows())
        {
            // No file mode stops root.
            return Task.FromResult<IUnderStore?>(null);
        }

        string root = _directory["forbidden"];
        Directory.CreateDirectory(root);
        File.SetUnixFileMode(root, UnixFileMode.None);
        return Task.FromResult<IUnderStore?>(Open(root));
    }

    protected override async Task<IUnderStore> OpenTruncatingAsync()
        => await BreakAsync(path =>
        {
            using FileStream file = File.OpenWrite(path);
            file.SetLength(50_000);
        });

    protected override async Task<IUnderStore> OpenResettingAsync()
        => await BreakAsync(path =>
        {
            File.WriteAllBytes(path, new byte[100_000]);
            File.SetLastWriteTimeUtc(path, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        });

    protected override Task<IUnderStore> OpenHangingAsync()
    {
        LocalUnderStore store = new(OptionsOf(Root), 1, TimeProvider.System);
        _ = store.Threads.RunAsync(() => { _released.Wait(); return 0; }, abandon: null, CancellationToken.None);
        return Task.FromResult<IUnderStore>(store);
    }

    protected override bool CanHold(string key) => LocalFile.IsKey(key) && key.Split('/').All(segment => Encoding.UTF8.GetByteCount(segment) <= 255);

    public override async Task DisposeAsync()
    {
        _released.Set();
        await base.DisposeAsync();
        _directory.Dispose();
    }

    internal static UnderStoreOptions OptionsOf(string root) => UnderStoreUrl.Parse("file://" + root).Options;

    private static IUnderStore Open(string root) => UnderStoreFactory.Create(OptionsOf(root), TimeSpan.FromSeconds(1), 4, TimeProvider.System);

    private async Task<IUnderStore> BreakAsync(Action<string> change)
    {
        await PutAsync("broken", Random(100_000, seed: 3));
        string path = Path.Combine(Root, "broken");
        FaultPlan plan = new FaultPlan().OnEvery(UnderStoreCall.Read, Fault.RunAfter(50_000, () => change(path)));
        return new FaultyUnderStore(Store, plan);
    }
}
