// SPDX-License-Identifier: GPL-2.0-only
/*
 * righeap - DMA-BUF heaps on demand, for tests
 *
 * The files below /sys/kernel/debug/righeap:
 *
 *   add      "NAME [LIMIT]" registers a heap. LIMIT is the number of bytes all
 *            live buffers together may take, with an optional K, M or G. An
 *            allocation that goes beyond fails with -ENOMEM. Default: no limit.
 *            No driver is bound to anything by this.
 *   pool     "NAME SIZE" registers a heap whose buffers all lie in one range of
 *            SIZE bytes, taken from CMA at once, as the pool of a TEE does. Whoever
 *            owns a firewall can close the range to CPUs: from here on this module
 *            touches it no more. Its limit is SIZE.
 *   limit    "NAME LIMIT" changes the limit. Live buffers stay.
 *   disable  "NAME" makes allocations fail with -EINVAL, as those from a TEE
 *            heap do when the TEE is gone. Live buffers stay.
 *   enable   "NAME" undoes that.
 *   remove   "NAME" drops our reference to a heap, where heaps have references
 *            (otherwise -EOPNOTSUPP), and then writes over free memory of the size of
 *            its object, so that whoever uses that nevertheless is sure to notice. What
 *            is left of the heap fails all allocations with -ENODEV. A new heap may take
 *            its name.
 *   churn    "NAME COUNT" registers a heap and drops our reference to it, COUNT times.
 *            Each waits for somebody to allocate from it first, so that it goes while it
 *            is in use; -ETIMEDOUT if nobody does.
 *   list     one line per heap, in the order they were added. Those of a pool have
 *            its physical address at the end.
 *   buffers  one line per live buffer. Does not read the buffers.
 *   dirty    the same, plus the number of bytes that don't have the fill value
 *            any more. This reads the buffers with the CPU, but not those in pools.
 *   kick     "COUNT" binds a driver to a dummy device and unbinds it, COUNT
 *            times, which makes the driver core retry the deferred probes. Each
 *            round waits until they are through. Reads back as the number of
 *            rounds since the module was loaded.
 *   dt       "NODE PROPERTY [CELL...]" gives a node of the device tree a property, in
 *            place of the one it may have. A cell is a number, or &NODE for the phandle
 *            of that node. "=TEXT" instead of cells makes it a string, "-" takes the
 *            property away. A node right below the root that isn't there is made.
 *   oops     writing anything makes the kernel follow a null pointer.
 *
 * Buffers are physically contiguous, from the page allocator, so the largest one
 * is that of the highest page order (4 MiB with 4 KiB pages), or from the pool. They
 * are filled with FILL before they are handed out; a pool is filled once. As with
 * the heaps of a TEE the dma-bufs offer no CPU access, and mapping them doesn't do
 * cache maintenance.
 *
 * Where heaps can have a node, ours have /rig-heaps if it is there, with the place in
 * the list, from 1 on, for an id.
 *
 * Nobody tells when the last reference to a heap is gone, so each one pins the module,
 * and what is known of it here stays. The name of a heap somebody else registered is
 * refused, in kernels without references not without a stack trace of sysfs, because
 * there the framework creates the device before it checks the name.
 */

#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/device/driver.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/kmemleak.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#define NAME_SIZE  64
#define FILL	   0xa5
#define KICKS_MAX  1000
#define HEAPS_NODE "/rig-heaps"
#define CELLS_MAX  8
#define OBJECTS	   64
#define POISON	   0x5a
#define CHURN_MS   5000

/* Not in every kernel: looked up when it's needed. */
struct dma_heap *of_dma_heap_add(const struct dma_heap_export_info *exp_info,
				 struct device_node *np, u32 id);
void dma_heap_put(struct dma_heap *heap);

struct rig_heap {
	struct list_head node;
	struct list_head buffers;
	struct dma_heap *heap;
	size_t limit;
	size_t bytes;
	unsigned long allocs;
	unsigned long fails;
	unsigned long live;
	bool disabled;
	bool removed;
	/* Of a heap that comes and goes: somebody has got a buffer of it. */
	struct completion used;
	struct page *pool;
	unsigned long *pool_used;
	size_t pool_size;
	char name[NAME_SIZE];
};

struct rig_buffer {
	struct list_head node;
	struct rig_heap *heap;
	void *vaddr;
	size_t size;
	unsigned int mappings;
};

/* Protects the list of heaps and what is in them. */
static DEFINE_MUTEX(rig_lock);
static LIST_HEAD(rig_heaps);

static DEFINE_MUTEX(rig_kick_lock);
static unsigned long rig_kicks;
static struct dentry *rig_dir;

/* Never bound. Pools are its DMA memory. */
static struct platform_device *rig_pool_device;

/* dma-buf */

static struct sg_table *rig_buffer_map(struct dma_buf_attachment *attach,
				       enum dma_data_direction dir)
{
	struct rig_buffer *buf = attach->dmabuf->priv;
	struct sg_table *sgt;
	int ret;

	sgt = kzalloc_obj(*sgt);
	if (!sgt)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table(sgt, 1, GFP_KERNEL);
	if (ret)
		goto err_free;

	sg_set_page(sgt->sgl, virt_to_page(buf->vaddr), buf->size, 0);

	ret = dma_map_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		goto err_free_table;

	scoped_guard(mutex, &rig_lock) buf->mappings++;

	return sgt;

err_free_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void rig_buffer_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			     enum dma_data_direction dir)
{
	struct rig_buffer *buf = attach->dmabuf->priv;

	dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(sgt);

	scoped_guard(mutex, &rig_lock) buf->mappings--;
}

static int rig_heap_reserve(struct rig_heap *heap, size_t size)
{
	guard(mutex)(&rig_lock);

	if (heap->removed)
		return -ENODEV;

	if (heap->disabled)
		return -EINVAL;

	if (heap->bytes > heap->limit || size > heap->limit - heap->bytes)
		return -ENOMEM;

	heap->bytes += size;
	return 0;
}

static void rig_heap_unreserve(struct rig_heap *heap, size_t size)
{
	guard(mutex)(&rig_lock);

	heap->bytes -= size;
}

/* Pages of the pool, which may be closed to us: only their address is used. */
static void *rig_pool_alloc(struct rig_heap *heap, size_t size)
{
	unsigned long pages = heap->pool_size / PAGE_SIZE, first;

	guard(mutex)(&rig_lock);

	first = bitmap_find_next_zero_area(heap->pool_used, pages, 0, size / PAGE_SIZE, 0);
	if (first >= pages)
		return NULL;

	bitmap_set(heap->pool_used, first, size / PAGE_SIZE);
	return page_address(heap->pool + first);
}

static void *rig_memory_alloc(struct rig_heap *heap, size_t size)
{
	void *vaddr;

	if (heap->pool)
		return rig_pool_alloc(heap, size);

	/* Sizes beyond the highest page order are an error, not a bug. */
	vaddr = alloc_pages_exact(size, GFP_KERNEL | __GFP_NOWARN);
	if (vaddr)
		memset(vaddr, FILL, size);

	return vaddr;
}

static void rig_memory_free(struct rig_heap *heap, void *vaddr, size_t size)
{
	unsigned long first;

	if (!heap->pool) {
		free_pages_exact(vaddr, size);
		return;
	}

	first = virt_to_page(vaddr) - heap->pool;

	guard(mutex)(&rig_lock);
	bitmap_clear(heap->pool_used, first, size / PAGE_SIZE);
}

static void rig_buffer_free(struct rig_buffer *buf)
{
	struct rig_heap *heap = buf->heap;
	size_t size = buf->size;

	scoped_guard(mutex, &rig_lock)
	{
		list_del(&buf->node);
		heap->live--;
	}

	rig_memory_free(heap, buf->vaddr, size);
	kfree(buf);
	rig_heap_unreserve(heap, size);
}

static void rig_buffer_release(struct dma_buf *dmabuf)
{
	rig_buffer_free(dmabuf->priv);
}

/* Deliberately without mmap, vmap and begin/end_cpu_access. */
static const struct dma_buf_ops rig_buffer_ops = {
	.map_dma_buf = rig_buffer_map,
	.unmap_dma_buf = rig_buffer_unmap,
	.release = rig_buffer_release,
};

/* The lock is not held here: the allocation may reclaim memory of our users. */
static struct rig_buffer *rig_buffer_alloc(struct rig_heap *heap, size_t size)
{
	struct rig_buffer *buf;
	int ret;

	ret = rig_heap_reserve(heap, size);
	if (ret)
		return ERR_PTR(ret);

	buf = kzalloc_obj(*buf);
	if (!buf)
		goto err_unreserve;

	buf->vaddr = rig_memory_alloc(heap, size);
	if (!buf->vaddr)
		goto err_free;

	buf->heap = heap;
	buf->size = size;

	scoped_guard(mutex, &rig_lock)
	{
		list_add_tail(&buf->node, &heap->buffers);
		heap->live++;
	}

	return buf;

err_free:
	kfree(buf);
err_unreserve:
	rig_heap_unreserve(heap, size);
	return ERR_PTR(-ENOMEM);
}

static struct dma_buf *rig_heap_allocate(struct dma_heap *dma_heap, unsigned long len, u32 fd_flags,
					 u64 heap_flags)
{
	struct rig_heap *heap = dma_heap_get_drvdata(dma_heap);
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dma_buf *dmabuf;
	struct rig_buffer *buf;

	buf = rig_buffer_alloc(heap, len);
	if (IS_ERR(buf)) {
		dmabuf = ERR_CAST(buf);
	} else {
		exp_info.exp_name = heap->name;
		exp_info.ops = &rig_buffer_ops;
		exp_info.size = len;
		exp_info.flags = fd_flags;
		exp_info.priv = buf;
		dmabuf = dma_buf_export(&exp_info);
		if (IS_ERR(dmabuf))
			rig_buffer_free(buf);
	}

	guard(mutex)(&rig_lock);
	if (IS_ERR(dmabuf))
		heap->fails++;
	else
		heap->allocs++;
	complete(&heap->used);

	return dmabuf;
}

static const struct dma_heap_ops rig_heap_ops = {
	.allocate = rig_heap_allocate,
};

/* Commands */

enum rig_command {
	RIG_ADD,
	RIG_POOL,
	RIG_LIMIT,
	RIG_DISABLE,
	RIG_ENABLE,
	RIG_REMOVE,
	RIG_CHURN,
};

static struct rig_heap *rig_heap_find(const char *name)
{
	struct rig_heap *heap;

	lockdep_assert_held(&rig_lock);

	list_for_each_entry(heap, &rig_heaps, node)
	{
		if (!heap->removed && !strcmp(heap->name, name))
			return heap;
	}

	return NULL;
}

static int rig_pool_create(struct rig_heap *heap, size_t size)
{
	struct device *dev = &rig_pool_device->dev;
	dma_addr_t dma;

	if (!size || !PAGE_ALIGNED(size))
		return -EINVAL;

	heap->pool_used = bitmap_zalloc(size / PAGE_SIZE, GFP_KERNEL);
	if (!heap->pool_used)
		return -ENOMEM;

	heap->pool = dma_alloc_pages(dev, size, &dma, DMA_BIDIRECTIONAL, GFP_KERNEL | __GFP_NOWARN);
	if (!heap->pool) {
		bitmap_free(heap->pool_used);
		return -ENOMEM;
	}

	memset(page_address(heap->pool), FILL, size);
	heap->pool_size = size;
	return 0;
}

static void rig_pool_destroy(struct rig_heap *heap)
{
	if (!heap->pool)
		return;

	dma_free_pages(&rig_pool_device->dev, heap->pool_size, heap->pool, page_to_phys(heap->pool),
		       DMA_BIDIRECTIONAL);
	bitmap_free(heap->pool_used);
}

static struct dma_heap *rig_heap_register(const struct dma_heap_export_info *exp_info)
{
	struct device_node *np = of_find_node_by_path(HEAPS_NODE);
	typeof(&of_dma_heap_add) add = symbol_get(of_dma_heap_add);
	struct dma_heap *heap;

	if (add) {
		heap = add(exp_info, np, list_count_nodes(&rig_heaps) + 1);
		symbol_put(of_dma_heap_add);
	} else {
		heap = dma_heap_add(exp_info);
	}

	of_node_put(np);
	return heap;
}

static struct rig_heap *rig_heap_make(const char *name, size_t limit)
{
	struct rig_heap *heap;

	/* The name becomes that of a device node. */
	if (strchr(name, '/'))
		return ERR_PTR(-EINVAL);

	heap = kzalloc_obj(*heap);
	if (!heap)
		return ERR_PTR(-ENOMEM);

	strscpy(heap->name, name);
	heap->limit = limit;
	INIT_LIST_HEAD(&heap->buffers);
	init_completion(&heap->used);
	return heap;
}

static int rig_heap_add(const char *name, size_t limit, bool pool)
{
	struct dma_heap_export_info exp_info = { .ops = &rig_heap_ops };
	struct rig_heap *heap;
	int ret;

	lockdep_assert_held(&rig_lock);

	heap = rig_heap_make(name, limit);
	if (IS_ERR(heap))
		return PTR_ERR(heap);

	if (pool) {
		ret = rig_pool_create(heap, limit);
		if (ret) {
			kfree(heap);
			return ret;
		}
	}

	exp_info.name = heap->name;
	exp_info.priv = heap;

	/* Others can use the heap as soon as it's added. */
	__module_get(THIS_MODULE);
	heap->heap = rig_heap_register(&exp_info);
	if (IS_ERR(heap->heap)) {
		ret = PTR_ERR(heap->heap);
		module_put(THIS_MODULE);
		rig_pool_destroy(heap);
		kfree(heap);
		return ret;
	}

	list_add_tail(&heap->node, &rig_heaps);
	return 0;
}

/* Free memory of one size is not what it was any more, here and now. */
static void rig_overwrite_free(size_t size)
{
	void *objects[OBJECTS];

	for (int i = 0; i < OBJECTS; i++) {
		objects[i] = kmalloc(size, GFP_KERNEL);
		if (objects[i])
			memset(objects[i], POISON, size);
	}

	for (int i = 0; i < OBJECTS; i++)
		kfree(objects[i]);
}

static int rig_heap_put(struct dma_heap *heap)
{
	typeof(&dma_heap_put) put = symbol_get(dma_heap_put);
	size_t size;

	if (!put)
		return -EOPNOTSUPP;

	size = ksize(heap);
	migrate_disable();
	put(heap);
	rig_overwrite_free(size);
	migrate_enable();
	symbol_put(dma_heap_put);
	return 0;
}

static int rig_heap_remove(struct rig_heap *heap)
{
	int ret;

	lockdep_assert_held(&rig_lock);

	ret = rig_heap_put(heap->heap);
	if (!ret)
		heap->removed = true;

	return ret;
}

static struct dma_heap *rig_churn_add(struct rig_heap *heap, size_t round)
{
	struct dma_heap_export_info exp_info = { .ops = &rig_heap_ops, .priv = heap };
	char *name = kasprintf(GFP_KERNEL, "%s-%zu", heap->name, round);

	/* Whoever has it open may look at the name for as long as they like: it stays. */
	kmemleak_not_leak(name);
	exp_info.name = name;
	reinit_completion(&heap->used);
	return name ? dma_heap_add(&exp_info) : ERR_PTR(-ENOMEM);
}

/* The lock is not held here: those who allocate take it. */
static int rig_churn(const char *name, size_t count)
{
	struct rig_heap *heap = rig_heap_make(name, SIZE_MAX);

	if (IS_ERR(heap))
		return PTR_ERR(heap);

	__module_get(THIS_MODULE);
	kmemleak_not_leak(heap); /* it has no place in the list, and stays as all do */
	for (size_t round = 0; round < count; round++) {
		struct dma_heap *registered = rig_churn_add(heap, round);
		unsigned long left;
		int ret;

		if (IS_ERR(registered))
			return PTR_ERR(registered);
		left = wait_for_completion_timeout(&heap->used, msecs_to_jiffies(CHURN_MS));
		ret = rig_heap_put(registered);
		if (ret || !left)
			return ret ?: -ETIMEDOUT;
	}

	return 0;
}

static int rig_run(enum rig_command command, const char *name, const size_t *limit)
{
	struct rig_heap *heap;

	if (command == RIG_CHURN)
		return rig_churn(name, *limit);

	guard(mutex)(&rig_lock);

	heap = rig_heap_find(name);
	if (command == RIG_ADD || command == RIG_POOL) {
		if (heap)
			return -EEXIST;
		return rig_heap_add(name, limit ? *limit : SIZE_MAX, command == RIG_POOL);
	}

	if (!heap)
		return -ENOENT;

	if (command == RIG_REMOVE)
		return rig_heap_remove(heap);

	if (command == RIG_LIMIT)
		heap->limit = *limit;
	else
		heap->disabled = command == RIG_DISABLE;

	return 0;
}

static ssize_t rig_command_write(struct file *file, const char __user *user, size_t count,
				 loff_t *ppos)
{
	enum rig_command command = (unsigned long)file->private_data;
	char line[NAME_SIZE + 32] = "";
	char *rest, *name, *number, *end;
	size_t limit;
	int ret;

	if (*ppos || count >= sizeof(line))
		return -EINVAL;

	if (copy_from_user(line, user, count))
		return -EFAULT;

	rest = strim(line);
	name = strsep(&rest, " \t");
	number = rest ? skip_spaces(rest) : NULL;

	if (!*name || strlen(name) >= NAME_SIZE)
		return -EINVAL;

	if (number) {
		limit = memparse(number, &end);
		if (end == number || *end)
			return -EINVAL;
	}

	if ((command == RIG_LIMIT || command == RIG_POOL || command == RIG_CHURN) && !number)
		return -EINVAL;
	if ((command == RIG_DISABLE || command == RIG_ENABLE || command == RIG_REMOVE) && number)
		return -EINVAL;

	ret = rig_run(command, name, number ? &limit : NULL);
	return ret ?: count;
}

static const struct file_operations rig_command_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = rig_command_write,
};

/* State */

static int list_show(struct seq_file *s, void *unused)
{
	struct rig_heap *heap;

	guard(mutex)(&rig_lock);

	list_for_each_entry(heap, &rig_heaps, node)
	{
		seq_printf(s, "%s disabled=%d allocs=%lu fails=%lu live=%lu bytes=%zu limit=",
			   heap->removed ? "-" : heap->name, heap->disabled, heap->allocs,
			   heap->fails, heap->live, heap->bytes);
		if (heap->limit == SIZE_MAX)
			seq_puts(s, "none");
		else
			seq_printf(s, "%zu", heap->limit);
		if (heap->pool) {
			phys_addr_t phys = page_to_phys(heap->pool);

			seq_printf(s, " pool=%pa", &phys);
		}
		seq_putc(s, '\n');
	}

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(list);

static size_t rig_buffer_dirty(const struct rig_buffer *buf)
{
	const u8 *byte = buf->vaddr;
	size_t dirty = 0;

	for (size_t i = 0; i < buf->size; i++)
		dirty += READ_ONCE(byte[i]) != FILL;

	return dirty;
}

static void rig_show_buffers(struct seq_file *s, bool dirty)
{
	struct rig_heap *heap;
	struct rig_buffer *buf;

	guard(mutex)(&rig_lock);

	list_for_each_entry(heap, &rig_heaps, node)
	{
		list_for_each_entry(buf, &heap->buffers, node)
		{
			phys_addr_t start = virt_to_phys(buf->vaddr);

			seq_printf(s, "%s phys=%pa size=%zu mappings=%u", heap->name, &start,
				   buf->size, buf->mappings);
			if (dirty && !heap->pool)
				seq_printf(s, " dirty=%zu", rig_buffer_dirty(buf));
			seq_putc(s, '\n');
		}
	}
}

static int buffers_show(struct seq_file *s, void *unused)
{
	rig_show_buffers(s, false);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(buffers);

static int dirty_show(struct seq_file *s, void *unused)
{
	rig_show_buffers(s, true);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dirty);

/* Deferred probes */

static int rig_kick_probe(struct platform_device *pdev)
{
	rig_kicks++;
	return 0;
}

static struct platform_driver rig_kick_driver = {
	.probe = rig_kick_probe,
	.driver = {
		.name = "righeap-kick",
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
		.suppress_bind_attrs = true,
	},
};

static int rig_kick_once(void)
{
	unsigned long before = rig_kicks;
	struct platform_device *pdev;

	/* Binds before it returns. Unregistering the device unbinds it. */
	pdev = platform_device_register_simple("righeap-kick", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);

	platform_device_unregister(pdev);
	wait_for_device_probe();

	return rig_kicks == before + 1 ? 0 : -EIO;
}

static int rig_kick_get(void *unused, u64 *value)
{
	guard(mutex)(&rig_kick_lock);
	*value = rig_kicks;
	return 0;
}

static int rig_kick_set(void *unused, u64 count)
{
	int ret = 0;

	if (count > KICKS_MAX)
		return -EINVAL;

	guard(mutex)(&rig_kick_lock);

	while (count-- && !ret) {
		if (fatal_signal_pending(current))
			return -EINTR;
		ret = rig_kick_once();
	}

	return ret;
}
DEFINE_DEBUGFS_ATTRIBUTE(rig_kick_fops, rig_kick_get, rig_kick_set, "%llu\n");

/* Device tree */

static DEFINE_MUTEX(rig_dt_lock);

static struct device_node *rig_dt_make_node(const char *path)
{
#ifdef CONFIG_OF_DYNAMIC
	struct of_changeset changeset;
	struct device_node *np;
	int ret;

	if (strrchr(path, '/') != path)
		return NULL;

	of_changeset_init(&changeset);
	np = of_changeset_create_node(&changeset, of_root, path + 1);
	ret = np ? of_changeset_apply(&changeset) : -ENOMEM;
	if (ret) {
		of_changeset_destroy(&changeset);
		return NULL;
	}

	/* What is applied stays: the changeset, which is only there to undo it, goes. */
	of_node_get(np);
	of_changeset_destroy(&changeset);
	return np;
#else
	return NULL;
#endif
}

static struct device_node *rig_dt_node(const char *path)
{
	return of_find_node_by_path(path) ?: rig_dt_make_node(path);
}

static int rig_dt_phandle(const char *path, u32 *cell)
{
	struct device_node *np = rig_dt_node(path), *other = NULL;
	u32 last = 0;

	if (!np)
		return -ENOENT;

	if (!np->phandle) {
		while ((other = of_find_all_nodes(other)))
			last = max(last, other->phandle);
		np->phandle = last + 1;
	}

	*cell = np->phandle;
	of_node_put(np);
	return 0;
}

/* Properties are never freed: whoever found one may look at it for ever. */
static struct property *rig_dt_property(const char *name, char *value)
{
	struct property *prop = kzalloc_obj(*prop);
	__be32 *cells = NULL;
	char *word;

	if (!prop)
		return NULL;

	prop->name = kstrdup(name, GFP_KERNEL);
	if (value && *value == '=') {
		prop->value = kstrdup(value + 1, GFP_KERNEL);
		prop->length = strlen(value);
		return prop;
	}

	prop->value = cells = kcalloc(CELLS_MAX, sizeof(*cells), GFP_KERNEL);
	while (cells && (word = strsep(&value, " "))) {
		u32 cell;
		int ret =
			*word == '&' ? rig_dt_phandle(word + 1, &cell) : kstrtou32(word, 0, &cell);

		if (ret || prop->length == CELLS_MAX * sizeof(*cells))
			return NULL;

		*cells++ = cpu_to_be32(cell);
		prop->length += sizeof(*cells);
	}

	return prop;
}

static int rig_dt_run(char *line)
{
	const char *path = strsep(&line, " "), *name = strsep(&line, " ");
	struct property *prop = NULL, *old;
	struct device_node *np;
	int ret = 0;

	if (!name)
		return -EINVAL;

	guard(mutex)(&rig_dt_lock);

	if (!line || strcmp(line, "-")) {
		prop = rig_dt_property(name, line);
		if (!prop || !prop->name || !prop->value)
			return -EINVAL;
	}

	np = rig_dt_node(path);
	if (!np)
		return -ENOENT;

	old = of_find_property(np, name, NULL);
	if (old)
		ret = of_remove_property(np, old);
	if (!ret && prop)
		ret = of_add_property(np, prop);

	of_node_put(np);
	return ret;
}

static ssize_t rig_dt_write(struct file *file, const char __user *user, size_t count, loff_t *ppos)
{
	char line[256] = "";
	int ret;

	if (*ppos || count >= sizeof(line))
		return -EINVAL;

	if (copy_from_user(line, user, count))
		return -EFAULT;

	ret = rig_dt_run(strim(line));
	return ret ?: count;
}

static const struct file_operations rig_dt_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = rig_dt_write,
};

/* A defect on demand, for those who look for one in the log. */
static noinline void rig_follow(const int *nowhere)
{
	READ_ONCE(*nowhere);
}

static int rig_oops_set(void *unused, u64 value)
{
	rig_follow(NULL);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(rig_oops_fops, NULL, rig_oops_set, "%llu\n");

static void __init rig_create_command(const char *name, enum rig_command command)
{
	debugfs_create_file(name, 0200, rig_dir, (void *)(unsigned long)command, &rig_command_fops);
}

static int __init righeap_init(void)
{
	int ret;

	ret = platform_driver_register(&rig_kick_driver);
	if (ret)
		return ret;

	rig_pool_device =
		platform_device_register_simple("righeap-pool", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(rig_pool_device)) {
		ret = PTR_ERR(rig_pool_device);
		goto err_driver;
	}

	/* Without a limit on addresses memory isn't taken from the small DMA zone. */
	ret = dma_coerce_mask_and_coherent(&rig_pool_device->dev, DMA_BIT_MASK(64));
	if (ret)
		goto err_device;

	rig_dir = debugfs_create_dir("righeap", NULL);
	if (IS_ERR(rig_dir)) {
		ret = PTR_ERR(rig_dir);
		goto err_device;
	}

	rig_create_command("add", RIG_ADD);
	rig_create_command("pool", RIG_POOL);
	rig_create_command("limit", RIG_LIMIT);
	rig_create_command("disable", RIG_DISABLE);
	rig_create_command("enable", RIG_ENABLE);
	rig_create_command("remove", RIG_REMOVE);
	rig_create_command("churn", RIG_CHURN);
	debugfs_create_file("list", 0400, rig_dir, NULL, &list_fops);
	debugfs_create_file("buffers", 0400, rig_dir, NULL, &buffers_fops);
	debugfs_create_file("dirty", 0400, rig_dir, NULL, &dirty_fops);
	debugfs_create_file("kick", 0600, rig_dir, NULL, &rig_kick_fops);
	debugfs_create_file("dt", 0200, rig_dir, NULL, &rig_dt_fops);
	debugfs_create_file("oops", 0200, rig_dir, NULL, &rig_oops_fops);

	return 0;

err_device:
	platform_device_unregister(rig_pool_device);
err_driver:
	platform_driver_unregister(&rig_kick_driver);
	return ret;
}
module_init(righeap_init);

/* Not reached once there is a heap. */
static void __exit righeap_exit(void)
{
	debugfs_remove_recursive(rig_dir);
	platform_device_unregister(rig_pool_device);
	platform_driver_unregister(&rig_kick_driver);
}
module_exit(righeap_exit);

MODULE_DESCRIPTION("DMA-BUF heaps on demand, for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("DMA_BUF_HEAP");
