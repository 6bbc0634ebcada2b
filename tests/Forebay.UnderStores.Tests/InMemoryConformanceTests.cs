using Forebay.Core;
using Forebay.Testing;

namespace Forebay.UnderStores.Tests;

/// <summary>The twin must keep the same contract, or tests built on it prove nothing.</summary>
public sealed class InMemoryConformanceTests : UnderStoreConformance
{
    private readonly InMemoryUnderStore _store = new();

    protected override Task<IUnderStore> OpenAsync() => Task.FromResult<IUnderStore>(_store);

    protected override Task PutAsync(string key, byte[] content)
    {
        _store.Put(key, content);
        return Task.CompletedTask;
    }

    protected override Task DeleteAsync(string key)
    {
        _store.Delete(key);
        return Task.CompletedTask;
    }

    protected override Task<IUnderStore> OpenMissingAsync() => Faulty(Fault.Fail(ErrorKind.NotFound));

    protected override async Task<IUnderStore?> OpenForbiddenAsync() => await Faulty(Fault.Fail(ErrorKind.AccessDenied));

    protected override Task<IUnderStore> OpenTruncatingAsync() => Faulty(Fault.TruncateAfter(50_000));

    protected override Task<IUnderStore> OpenResettingAsync() => Faulty(Fault.StaleAfter(50_000));

    protected override Task<IUnderStore> OpenHangingAsync() => Faulty(Fault.StallUntil(new TaskCompletionSource().Task));

    private Task<IUnderStore> Faulty(Fault fault)
    {
        _store.PutPattern("broken", 100_000);
        FaultPlan plan = new FaultPlan().OnEvery(UnderStoreCall.Stat, fault).OnEvery(UnderStoreCall.Read, fault).OnEvery(UnderStoreCall.List, fault);
        return Task.FromResult<IUnderStore>(new FaultyUnderStore(_store, plan));
    }
}
